"""Wrong answers to 00_prerequisites."""

from .wrong_answers import wrong


def script(name: str, line: str) -> str:
    return f"%%writefile practice/{name}.sh\n{line}\n"


WRONG = [
    # Only the folder itself.
    wrong("shell", script("count_photos", 'ls "$1"/*.jpg 2>/dev/null | wc -l'), shown="shell-check",
          hidden="shell-other"),
    # A folder with a blank falls into two.
    wrong("shell", script("count_photos", "find $1 -type f -name '*.jpg' 2>/dev/null | wc -l"), hidden="shell-other"),
    # Any name with "jpg" in it.
    wrong("shell", script("count_photos", 'find "$1" -type f | grep -c jpg; true'), hidden="shell-other"),
    wrong("paths", 'path = "/data/faces.csv"', shown="paths-check"),
    wrong("paths", 'path = "../../data/faces.csv"', shown="paths-check"),
    # Leaves the folder and comes back by its name.
    wrong("paths", 'path = "../../../../practice/data/faces.csv"', hidden="paths-check"),
    # The private key.
    wrong("keys", 'send = "id_mandrill"', hidden="keys-check"),
    wrong("keys", 'send = "id_mandrill.txt"', shown="keys-check"),
    # Nobody can read it, not even its owner.
    wrong("lock", script("protect", 'chmod 000 "$1"'), hidden="lock-check"),
    # All files of the folder.
    wrong("lock", script("protect", 'chmod 600 "$(dirname "$1")"/*'), hidden="lock-check"),
    # The group may still read it.
    wrong("lock", script("protect", 'chmod o= "$1"'), shown="lock-check"),
    # Text, not a number.
    wrong("threads", 'def threads(environment):\n    return environment.get("OMP_NUM_THREADS", 1)',
          shown="threads-check", hidden="threads-missing"),
    # The variable is there, but empty.
    wrong("threads", 'def threads(environment):\n    return int(environment.get("OMP_NUM_THREADS", "1") or 0)',
          hidden="threads-missing"),
    # Only the first digit.
    wrong("threads", 'def threads(environment):\n    return int(environment.get("OMP_NUM_THREADS", "")[:1] or 1)',
          hidden="threads-check"),
    # No time to save.
    wrong("end", script("end", 'kill -9 "$1"'), hidden="end-kindly"),
    # All of the same name (which nothing else on the machine has).
    wrong("end", script("end", 'kill "$1"; pkill -f mandrill-practice-worker; true'), hidden="end-kindly"),
    wrong("end", script("end", "true"), shown="end-check end-kindly"),
    # Exactly as much as is free.
    wrong("fits", 'def may_start(job, free):\n    return job["cpus"] < free["cpus"] and job["memory_gb"] < '
          'free["memory_gb"] and job["gpus"] <= free["gpus"]', hidden="fits-exactly"),
    # Forgets the memory.
    wrong("fits", 'def may_start(job, free):\n    return job["cpus"] <= free["cpus"] and job["gpus"] <= free["gpus"]',
          hidden="fits-check"),
    # Forgets the GPUs.
    wrong("fits", 'def may_start(job, free):\n    return job["cpus"] <= free["cpus"] and job["memory_gb"] <= '
          'free["memory_gb"]', hidden="fits-check"),
    wrong("fits", "def may_start(job, free):\n    pass", shown="fits-check fits-exactly"),
]
