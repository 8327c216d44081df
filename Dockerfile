# The one image of agents and operator, for amd64 and arm64:
#   docker buildx build --platform linux/amd64,linux/arm64 -t REGISTRY/vipa:0.1.0 --push .
# Without internet: docs/install-airgapped.md.

# Any image with Python 3.11 or newer and sh, on which libnftables is there or apt-get can install it.
ARG BASE=docker.io/library/python:3.11-slim-bookworm
# Where pip runs, if the base has none: the same Python for the same kind of machine. Nothing of it stays.
ARG BUILD_BASE=${BASE}

FROM ${BUILD_BASE} AS build
# Another package index, for builds without internet. Hashes are checked whatever it is.
ARG PIP_INDEX_URL=
COPY requirements-image.lock /
# Wheels only: nothing is compiled, so no compiler is needed, for no machine.
RUN python3 -m pip install --no-cache-dir --disable-pip-version-check --root-user-action ignore --no-compile \
        --require-hashes --no-deps --only-binary :all: --target /opt/vipa -r /requirements-image.lock
COPY core/vipa /opt/vipa/vipa
COPY nodeagent/vipa_agent /opt/vipa/vipa_agent
COPY operator/vipa_operator /opt/vipa/vipa_operator
COPY LICENSE /opt/vipa/
COPY tools/image_tree /
# Compiled there, once: the root file system is read-only where it runs.
RUN python3 /image_tree /opt/vipa \
    && mkdir /opt/vipa/commands \
    && for name in agent operator; do \
        printf '#!/usr/bin/env python3\nfrom vipa_%s.main import main\n\nmain()\n' $name >/opt/vipa/commands/vipa-$name \
        && chmod 755 /opt/vipa/commands/vipa-$name; done

FROM ${BASE}
LABEL org.opencontainers.image.title=vipa org.opencontainers.image.licenses=Apache-2.0
RUN ldconfig -p | grep -q libnftables.so.1 \
    || { apt-get update && apt-get install -y --no-install-recommends libnftables1 \
        && apt-get clean && rm -rf /var/lib/apt/lists/*; }
COPY --from=build /opt/vipa /opt/vipa
ENV PATH=/opt/vipa/commands:/usr/local/bin:/usr/bin:/bin PYTHONPATH=/opt/vipa PYTHONDONTWRITEBYTECODE=1
# The two bases fit each other: seen here, not on a node.
RUN vipa-agent --help >/dev/null && vipa-operator --help >/dev/null
# The operator's. Agents run as root: Kubernetes gives added capabilities to nobody else.
USER 65532:65532
