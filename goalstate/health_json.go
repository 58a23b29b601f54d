package goalstate

// jsonHealth is the report as azure-init (libazureinit/src/health.rs) sends it.
type jsonHealth struct {
	State   string             `json:"state"`
	Details *jsonHealthDetails `json:"details,omitempty"`
}

type jsonHealthDetails struct {
	SubStatus   string `json:"subStatus"`
	Description string `json:"description,omitempty"`
}

// EncodeJSON returns the report as azure-init writes it, for the endpoint that
// needs no goal state; the ids are not in it and may be empty. Limits, shortening
// and errors are those of [Health.EncodeXML].
func (h Health) EncodeJSON() ([]byte, error) {
	return h.encode("goalstate.Health.EncodeJSON", Health.json)
}

func (h Health) json() []byte {
	doc := jsonHealth{State: string(h.State)}
	if h.SubStatus != "" {
		doc.Details = &jsonHealthDetails{SubStatus: string(h.SubStatus), Description: h.Description}
	}
	return encodeJSON(doc)
}

// ParseHealthJSON reads a report, for those who receive them. It takes members and
// states that this package would not write. A missing state is an error of
// [azprov.KindMalformed]. The ids are empty.
func ParseHealthJSON(b []byte) (Health, error) {
	const op = "goalstate.ParseHealthJSON"
	var doc jsonHealth
	if err := parseJSON(op, b, &doc); err != nil {
		return Health{}, err
	}
	if doc.State == "" {
		return Health{}, malformed(op, "missing state in health JSON")
	}
	h := Health{State: HealthState(doc.State)}
	if doc.Details != nil {
		h.SubStatus, h.Description = HealthSubStatus(doc.Details.SubStatus), doc.Details.Description
	}
	return h, nil
}
