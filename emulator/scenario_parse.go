package emulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/azprov/azprov"
)

// ParseScenario reads a scenario from JSON, with defaults filled in. It may extend a
// shipped one. It is strict: an unknown key is an error that names it, its line and the
// known key most like it, and so is everything that [NewFabric] refuses. Errors are of
// azprov.KindMalformed.
func ParseScenario(b []byte) (Scenario, error) { return ParseScenarioWith(b, nil) }

// ParseScenarioWith is [ParseScenario] for a scenario that may extend others than the
// shipped ones: base returns the JSON of the one that is not shipped and has that name. An
// error of base is one of azprov.KindMalformed here, with its text.
//
// What a scenario says is laid over what it extends. Two objects are merged key by key; a
// list, a text or a number replaces what was there; null takes it away. The name, the
// description and the source are a scenario's own. The patches over the instance document,
// imds.instance and pool.instance, are put together in the same way, but a null in them is
// part of the patch, and stays.
func ParseScenarioWith(b []byte, base func(name string) ([]byte, error)) (Scenario, error) {
	const op = "emulator.ParseScenario"
	r := resolver{op: op, base: base}
	tree, err := r.resolve(b)
	if err != nil {
		return Scenario{}, err
	}
	merged, err := json.Marshal(tree)
	var s Scenario
	if err == nil {
		err = json.Unmarshal(merged, &s)
	}
	if err == nil {
		s = s.withDefaults()
		_, err = NewFabric(s, nil)
	}
	if err != nil {
		return Scenario{}, inLine(b, jsonError(op, merged, err))
	}
	return s, nil
}

// A resolver puts a scenario together with what it extends.
type resolver struct {
	op    string
	base  func(name string) ([]byte, error)
	chain []string // The names that were followed.
}

func (r *resolver) resolve(b []byte) (object, error) {
	if err := strictJSON(r.op, b, reflect.TypeFor[Scenario]()); err != nil {
		return nil, r.inBase(err)
	}
	var document any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&document); err != nil {
		return nil, jsonError(r.op, b, err)
	}
	tree, _ := document.(object) // null is an empty scenario
	name, _ := tree["extends"].(string)
	if name == "" {
		return tree, nil
	}
	if slices.Contains(r.chain, name) {
		return nil, malformed(r.op, "extends goes round in a circle: "+strings.Join(append(r.chain, name), " extends "))
	}
	parent, err := r.document(name)
	if err != nil {
		return nil, r.inBase(err)
	}
	r.chain = append(r.chain, name)
	below, err := r.resolve(parent)
	if err != nil {
		return nil, err
	}
	return inherit(below, tree), nil
}

// document finds what a name stands for.
func (r *resolver) document(name string) ([]byte, error) {
	if slices.Contains(shippedNames(), name) {
		return shippedDocument(name)
	}
	if r.base == nil {
		_, err := LookupScenario(name)
		return nil, r.unknown(name, err)
	}
	b, err := r.base(name)
	if err != nil {
		return nil, r.unknown(name, err)
	}
	return b, nil
}

func (r *resolver) unknown(name string, err error) error {
	told := &azprov.Error{Op: r.op, Kind: azprov.KindMalformed, Message: fmt.Sprintf("extends %q: %v", name, err)}
	var own *azprov.Error
	if errors.As(err, &own) {
		told.Message, told.Hint, told.Last = fmt.Sprintf("extends %q: %s", name, own.Message), own.Hint, own.Last
	}
	return told
}

// inBase says in which of the documents the error is.
func (r *resolver) inBase(err error) error {
	var own *azprov.Error
	if len(r.chain) == 0 || !errors.As(err, &own) {
		return err
	}
	told := *own
	told.Message = "in " + r.chain[len(r.chain)-1] + ", which is extended: " + told.Message
	return &told
}

// inherit lays a scenario over the one that it extends.
func inherit(below, above object) object {
	for _, own := range []string{"name", "description", "source", "extends"} {
		delete(below, own)
	}
	merged := object{}
	maps.Copy(merged, below)
	for key, value := range above {
		patched := key == "imds" || key == "pool"
		change, isObject := value.(object)
		switch {
		case value == nil:
			delete(merged, key)
		case patched && isObject:
			merged[key] = inheritPatched(merged[key], change)
		default:
			merged[key] = mergePatch(merged[key], value)
		}
	}
	return merged
}

// inheritPatched is inherit for an object whose member "instance" is a patch itself.
func inheritPatched(below any, above object) any {
	patch, isPatch := above["instance"].(object)
	if !isPatch {
		return mergePatch(below, above)
	}
	there, _ := below.(object)
	joined := joinPatches(there["instance"], patch)
	merged, _ := mergePatch(below, above).(object)
	merged["instance"] = joined
	return merged
}

// joinPatches makes one merge patch of two that are applied one after the other.
func joinPatches(first, second any) any {
	a, isA := first.(object)
	b, isB := second.(object)
	if !isA || !isB {
		return second
	}
	joined := object{}
	maps.Copy(joined, a)
	for key, value := range b {
		joined[key] = joinPatches(joined[key], value)
	}
	return joined
}
