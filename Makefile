# MandrillHub. `make up` runs a workshop on this machine; `make test` passes the tests. See README.md.
#   ROOT=/srv/second  another instance, everything below that directory     PORT=9000  its address
#   CPU_NODES=4       nodes of the embedded cluster                         WORKSHOP=my.yml  instead of /etc/mandrillhub/
ROOT ?= /
MANDRILLHUB = $(ROOT:/=)/opt/mandrillhub/hub/bin/mandrillhub
SUDO = $(if $(filter 0,$(shell id -u)),,sudo --preserve-env=http_proxy,https_proxy,no_proxy,PIP_INDEX_URL,SSL_CERT_FILE)
OPTIONS = --root $(ROOT) $(if $(PORT),--port $(PORT)) $(if $(CPU_NODES),--cpu-nodes $(CPU_NODES)) \
          $(if $(WORKSHOP),--workshop $(abspath $(WORKSHOP)))

.PHONY: help up down status test test-long bench-start bench-grade translations lock

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

up: ## install what is missing, start the cluster, the proxy and the hub, print the address
ifneq ($(SUDO),)
	@echo "This installs Debian packages (Slurm, munge, Python), three Python environments (6.5 GB) under"
	@echo "$(ROOT), makes Unix accounts for the people of attendees.csv and starts Slurm, a proxy and the hub."
	@echo "That needs root, so sudo may ask for your password now."
endif
	@$(SUDO) sh hub/bootstrap.sh $(ROOT)
	@$(SUDO) $(MANDRILLHUB) up $(OPTIONS)

down: ## stop what `make up` started; homes and the database stay
	@$(SUDO) $(MANDRILLHUB) down --root $(ROOT)

status: ## what runs, who has a server, what is free
	@$(SUDO) $(MANDRILLHUB) status --root $(ROOT)

test: ## all tests: unit, course, integration, browser, deployment
	@$(SUDO) sh tests/run.sh

test-long: ## what `make test` leaves out for its time: OAR, other Slurms, kernel images, killed hubs and jobs
	@$(SUDO) env KINDS="clusters faults" sh tests/run.sh

bench-start: ## a class starts: ours beside stock batchspawner; 25 minutes. BENCH="--people 20 --skip-real" for a look
	@$(SUDO) sh tests/benchmarks/start/run.sh $(BENCH)

bench-grade: ## grading 40 submissions: jobs in a sandbox beside nbgrader autograde. BENCH="4 1" for a look
	@$(SUDO) sh tests/benchmarks/grading/run.sh $(BENCH)

translations: ## the catalogues of hub/translations, up to date with the source
	@$(ROOT:/=)/opt/mandrillhub/hub/bin/python -m hub.translations.update

lock: ## resolve all environments anew
	@sh hub/environments/lock.sh $(ROOT:/=)/opt/mandrillhub/uv/bin/uv
