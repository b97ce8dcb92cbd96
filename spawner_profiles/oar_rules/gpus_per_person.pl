# An admission rule of OAR 2.5: GPUs are asked for by name, and a person who has a job with GPUs is refused another.
# Each such job has the type gpus_of_a_person, which scheduler_quotas.conf counts too: of two that are submitted in
# the same moment one waits. (The quota alone would do, but OAR plans a job that waits for its owner's other job on a
# GPU that is free now, and keeps it from everybody else.)
#   oaradmissionrules --new --from-file gpus_per_person.pl --priority 20 --enabled
#   echo '$Gantt_quotas->{"*"}->{"*"}->{"gpus_of_a_person"}->{"/"} = [-1, 1, -1];' >>/etc/oar/scheduler_quotas.conf
# Written for the queues' own scheduler, oar_sched_gantt_with_timesharing_and_fairsharing_and_quotas.
# How many GPUs a job, and so a person, may have:
my $most = 1;
# Logins that are not limited, such as those who reserve nodes for a class:
my %unlimited = map { $_ => 1 } ();
if (not $unlimited{$user}) {
    my $asks = 0;
    foreach my $alternative (@{$ref_resource_list}) {
        my $gpus = 0;
        foreach my $group (@{$alternative->[0]}) {
            my ($number, $by_name) = (1, 0);
            foreach my $level (@{$group->{resources}}) {
                # ALL and BEST are negative.
                $number = $level->{value} > 0 && $number > 0 ? $number * $level->{value} : -1;
                $by_name = 1 if lc($level->{resource}) eq "gpu";
            }
            if (not $by_name) {
                my $none = "(gpu IS NULL OR gpu = 0)";
                $group->{property} = $group->{property} ? "($group->{property}) AND $none" : $none;
            } elsif ($number < 0) {
                die("[ADMISSION RULE] Error: say how many GPUs: gpu=1\n");
            } else {
                $gpus += $number;
            }
        }
        die("[ADMISSION RULE] Error: $gpus GPUs asked for, and one person may have $most\n") if $gpus > $most;
        $asks = 1 if $gpus;
    }
    if ($asks) {
        my ($other) = $dbh->selectrow_array("SELECT jobs.job_id FROM jobs, job_types
            WHERE jobs.job_id = job_types.job_id AND job_types.type = 'gpus_of_a_person'
            AND jobs.state NOT IN ('Terminated', 'Error', 'toError', 'Finishing') AND jobs.job_user = ?", undef, $user);
        die("[ADMISSION RULE] Error: you have a job with a GPU already ($other); one person may have one at a time\n")
            if $other;
        push(@{$type_list}, "gpus_of_a_person");
    }
}
