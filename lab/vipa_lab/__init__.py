"""A network-namespace lab: nodes, switch, clients, faults, probes and an observer.

Start with :class:`vipa_lab.lab.Lab` and :func:`vipa_lab.scenario.ibm_i_lab`::

    with Lab() as lab:
        scenario = ibm_i_lab(lab)
        w1, w2 = scenario.nodes
        w1.start_agent(manifests)
        probe = scenario.client.udp_probe(scenario.vip)
        observer = lab.observe(scenario.lan)
        w1.nics["eth1"].port.down()  # faults: vipa_lab.switch, .nic, .host, .process
        print(probe.stop().outages)  # figures: vipa_lab.results
        print(observer.two_answerers(scenario.vip))  # the verdict: vipa_lab.verdict

It needs root or user namespaces, and touches nothing of the host's network.
"""
