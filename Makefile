.PHONY: dev
dev: .venv/.stamp

.venv/.stamp: pyproject.toml constraints.txt hack/venv.sh
	@hack/venv.sh
