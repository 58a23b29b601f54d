package imds

import "strings"

// Tag is one tag of the VM's resource.
type Tag struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// AllTags returns the VM's tags: TagsList, or what can be made of the older Tags
// text if the list is empty. A copy is returned; nil if there are no tags.
//
// The text has no escaping. It is split at ";", each piece at its first ":", and
// a piece without one continues the value before it, because the service writes
// the ":" of an empty value too. A value with both ";" and ":" stays ambiguous.
// Changed tags of scale set instances show only after a reboot.
func (c Compute) AllTags() []Tag {
	if len(c.TagsList) > 0 {
		return append([]Tag(nil), c.TagsList...)
	}
	var tags []Tag
	for piece := range strings.SplitSeq(c.Tags, ";") {
		name, value, found := strings.Cut(piece, ":")
		switch {
		case found:
			tags = append(tags, Tag{Name: name, Value: value})
		case len(tags) > 0:
			tags[len(tags)-1].Value += ";" + piece
		case piece != "":
			tags = append(tags, Tag{Name: piece})
		}
	}
	return tags
}

// TagMap returns [Compute.AllTags] by name, as it is spelled; Azure does not tell
// names apart by case. Of several tags of one name the last counts.
func (c Compute) TagMap() map[string]string {
	tags := c.AllTags()
	byName := make(map[string]string, len(tags))
	for _, tag := range tags {
		byName[tag.Name] = tag.Value
	}
	return byName
}
