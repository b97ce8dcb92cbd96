"""Wrong answers to 01_cpu_gpu."""

from .wrong_answers import wrong

CPUS = """def cpus_of(environment):
    if "SLURM_CPUS_PER_TASK" in environment:
        return {slurm}
    if "OAR_NODEFILE" in environment:
        return {oar}
    return 1
"""
OAR = 'len(open(environment["OAR_NODEFILE"]).readlines())'
TIMED = """def timed(work, wait, repeats=5):
    {warm_up}
    taken = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        {wait}
        taken.append(time.perf_counter() - begin)
    return statistics.{middle}(taken)
"""
ERRORS = """def errors_of(network, batches):
    kept = []
    for photos, ages in batches:
        error = (network(photos) - ages).abs().mean()
        {keep}
    return kept
"""


def timed(warm_up="work(); wait()", wait="wait()", middle="median") -> str:
    return TIMED.format(warm_up=warm_up, wait=wait, middle=middle)


WRONG = [
    # The text of the number.
    wrong("cpus", CPUS.format(slurm='environment["SLURM_CPUS_PER_TASK"]', oar=OAR), shown="cpus-check"),
    # Only the first digit.
    wrong("cpus", CPUS.format(slurm='int(environment["SLURM_CPUS_PER_TASK"][0])', oar=OAR), hidden="cpus-check"),
    # The length of the file's name.
    wrong("cpus", CPUS.format(slurm='int(environment["SLURM_CPUS_PER_TASK"])', oar='len(environment["OAR_NODEFILE"])'),
          shown="cpus-elsewhere"),
    # Hours and nothing else.
    wrong("walltime", 'def walltime_seconds(text):\n    days, _, text = text.rpartition("-")\n'
          '    return 86400 * int(days or 0) + 3600 * int(text.split(":")[0])',
          hidden="walltime-check walltime-forms"),
    # Three parts, always.
    wrong("walltime", 'def walltime_seconds(text):\n    days, _, text = text.rpartition("-")\n'
          '    h, m, s = map(int, text.split(":"))\n    return 86400 * int(days or 0) + 3600 * h + 60 * m + s',
          hidden="walltime-forms"),
    # No days.
    wrong("walltime", 'def walltime_seconds(text):\n    h, m, s = map(int, text.split(":"))\n'
          '    return 3600 * h + 60 * m + s', shown="walltime-forms"),
    # On one device only.
    wrong("add", "def add(first, second):\n    return first + second", hidden="add-check"),
    # On the CPU, always.
    wrong("add", "def add(first, second):\n    return first.cpu() + second.cpu()", hidden="add-check"),
    # On the second's device.
    wrong("add", "def add(first, second):\n    return first.to(second.device) + second", hidden="add-check"),
    # The clock is read before the work is done.
    wrong("timed", timed(wait="pass"), shown="timed-check"),
    # No warm-up, but as many calls.
    wrong("timed", timed(warm_up="repeats += 1"), hidden="timed-fair"),
    # The mean.
    wrong("timed", timed(middle="mean"), hidden="timed-fair"),
    # The warm-up is not waited for.
    wrong("timed", timed(warm_up="work()"), hidden="timed-fair"),
    # Four bytes, always.
    wrong("megabytes", "def megabytes(tensor):\n    return tensor.numel() * 4 / 1_000_000", hidden="megabytes-check"),
    # A megabyte of 2**20 bytes.
    wrong("megabytes", "def megabytes(tensor):\n    return tensor.numel() * tensor.element_size() / 2**20",
          shown="megabytes-check"),
    # Rounded up where it must be down.
    wrong("batch", "def largest_batch(free_mb, network_mb, photo_mb):\n"
          "    return max(0, round((free_mb - network_mb) / photo_mb))", hidden="batch-check"),
    # Negative.
    wrong("batch", "def largest_batch(free_mb, network_mb, photo_mb):\n    return (free_mb - network_mb) // photo_mb",
          hidden="batch-none"),
    # Forgets the network.
    wrong("batch", "def largest_batch(free_mb, network_mb, photo_mb):\n    return free_mb // photo_mb",
          shown="batch-check batch-none"),
    # The tensor with all that it drags along.
    wrong("errors", ERRORS.format(keep="kept.append(error)"), hidden="errors-check"),
    # The last one only.
    wrong("errors", ERRORS.format(keep="kept = [error.item()]"), shown="errors-check"),
    # Forgets how many GPUs.
    wrong("idle", "def idle_gpu_hours(sessions):\n    return sum(held - busy for gpus, held, busy in sessions)",
          hidden="idle-check"),
    # Returns within the loop.
    wrong("idle", "def idle_gpu_hours(sessions):\n    for gpus, held, busy in sessions:\n"
          "        return gpus * (held - busy)", shown="idle-none", hidden="idle-check"),
]
