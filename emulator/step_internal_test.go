package emulator

import "testing"

// The document that a step patches may be shared: with answers on their way, and with what
// else is made of the same identity.
func TestPatchedDocumentIsACopy(t *testing.T) {
	t.Parallel()
	document := object{"compute": object{"osProfile": object{"computerName": "before"}}}
	mergePatch(cloneDocument(document), object{"compute": object{"osProfile": object{"computerName": "after"}}})
	compute, _ := document["compute"].(object)
	if profile, _ := compute["osProfile"].(object); profile["computerName"] != "before" {
		t.Errorf("the document has become %v", document)
	}
}
