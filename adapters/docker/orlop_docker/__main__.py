"""`python -m orlop_docker`, where no script was installed."""

from orlop_docker.program import main

main()
