package goalstate

// Encode returns the document as the wire server writes it. What is empty is left
// out.
func (s SharedConfig) Encode() []byte {
	w := newWriter()
	w.start("SharedConfig", attr{"version", s.Version}, attr{"goalStateIncarnation", s.GoalStateIncarnation})
	s.Deployment.write(w)
	s.Incarnation.write(w)
	s.Role.write(w)
	s.LoadBalancerSettings.write(w)
	if len(s.OutputEndpoints) > 0 {
		w.start("OutputEndpoints")
		for _, e := range s.OutputEndpoints {
			e.write(w)
		}
		w.end()
	}
	if len(s.Instances) > 0 {
		w.start("Instances")
		for _, i := range s.Instances {
			i.write(w)
		}
		w.end()
	}
	w.end()
	return w.bytes()
}

func (l LoadBalancerSettings) write(w *writer) {
	if l.TimeoutSeconds == "" && l.WaitLoadBalancerProbeCount == "" && len(l.Probes) == 0 {
		return
	}
	w.start(
		"LoadBalancerSettings",
		attr{"timeoutSeconds", l.TimeoutSeconds},
		attr{"waitLoadBalancerProbeCount", l.WaitLoadBalancerProbeCount},
	)
	if len(l.Probes) > 0 {
		w.start("Probes")
		for _, name := range l.Probes {
			w.leaf("Probe", attr{"name", name})
		}
		w.end()
	}
	w.end()
}

func (e OutputEndpoint) write(w *writer) {
	w.start("Endpoint", attr{"name", e.Name}, attr{"type", e.Type})
	for _, t := range e.Targets {
		w.leaf("Target", attr{"instance", t.Instance}, attr{"endpoint", t.Endpoint})
	}
	w.end()
}

func (i Instance) write(w *writer) {
	w.start("Instance", attr{"id", i.ID}, attr{"address", i.Address})
	w.leaf(
		"FaultDomains",
		attr{"randomId", i.FaultDomains.RandomID},
		attr{"updateId", i.FaultDomains.UpdateID},
		attr{"updateCount", i.FaultDomains.UpdateCount},
	)
	if len(i.InputEndpoints) > 0 {
		w.start("InputEndpoints")
		for _, e := range i.InputEndpoints {
			e.write(w)
		}
		w.end()
	}
	w.end()
}

func (e InputEndpoint) write(w *writer) {
	w.start(
		"Endpoint",
		attr{"name", e.Name},
		attr{"address", e.Address},
		attr{"protocol", e.Protocol},
		attr{"isPublic", writeSwitch(e.IsPublic)},
		attr{"loadBalancedPublicAddress", e.LoadBalancedPublicAddress},
		attr{"enableDirectServerReturn", writeSwitch(e.EnableDirectServerReturn)},
		attr{"isDirectAddress", writeSwitch(e.IsDirectAddress)},
		attr{"disableStealthMode", writeSwitch(e.DisableStealthMode)},
	)
	if len(e.LocalPorts) > 0 {
		w.start("LocalPorts")
		for _, p := range e.LocalPorts {
			w.leaf("LocalPortRange", attr{"from", p.From}, attr{"to", p.To})
		}
		w.end()
	}
	w.end()
}
