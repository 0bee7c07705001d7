"""`script/smoke`: deploys the product into an AWS account under a random name, asks what only an account can show,
compares it with what we rely on, and deletes everything again.

    probe.py       what a probe is, and judging its answer; probes/: all of them, by subject
    world.py       the account that probes ask; clock.py: waiting in it; statements.py: SQL through the Data API
    deployment.py  puts the product into it, as a person would; cleaning.py: takes everything out of it again;
                   finding.py: what there is of it; login.py: credentials that end
    answers.py     the file of raw answers, and the one place where secrets are taken out of them
    compare.py     two files of answers, apart from what must differ; replay.py: an account's beside a sandbox's
    cost.py        what it takes, before anybody is asked; documents.py: docs/unverified.md
    run.py         all of it in order; report.py: what is printed; interrupts.py: signals; __main__.py: options
"""
