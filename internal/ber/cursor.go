package ber

import (
	"errors"
	"strconv"
)

// Cursor reads the children of an element one after the other. Once it has failed it
// stays so and returns zero Elements, so that a reader need look at Err only at the end.
type Cursor struct {
	rest []byte
	err  error
}

// Children returns a cursor at the element's first child. That of a primitive element
// has failed.
func (e Element) Children() *Cursor {
	if !e.Constructed {
		return &Cursor{err: errors.New("a primitive element in place of a constructed one")}
	}
	return &Cursor{rest: e.Content}
}

// Err is the first failure.
func (c *Cursor) Err() error { return c.err }

// More reports whether there is another child.
func (c *Cursor) More() bool { return c.err == nil && len(c.rest) > 0 }

// Next returns the next child, whatever it is.
func (c *Cursor) Next() Element {
	if c.err != nil {
		return Element{}
	}
	e, err := scan(c.rest, 1) // Parse has seen to the depth
	if err != nil {
		c.err = err
		return Element{}
	}
	c.rest = c.rest[len(e.Raw):]
	return e
}

// Take returns the next child, which must have the tag.
func (c *Cursor) Take(tag Tag) Element {
	e := c.Next()
	if c.err == nil && e.Tag != tag {
		c.err = errors.New("tag " + strconv.Itoa(int(e.Tag)) + " where " + strconv.Itoa(int(tag)) + " belongs")
		return Element{}
	}
	return e
}

// Optional returns the next child if it has the tag, and else leaves it.
func (c *Cursor) Optional(tag Tag) (Element, bool) {
	if !c.More() || Tag(c.rest[0]&^constructedBit) != tag {
		return Element{}, false
	}
	e := c.Next()
	return e, c.err == nil
}

// OID takes an object identifier and returns it in dotted form.
func (c *Cursor) OID() string {
	e := c.Take(ObjectID)
	if c.err != nil {
		return ""
	}
	text, err := e.OID()
	c.err = err
	return text
}

// Octets takes an OCTET STRING.
func (c *Cursor) Octets() []byte {
	e := c.Take(OctetString)
	if c.err != nil {
		return nil
	}
	b, err := e.Octets()
	c.err = err
	return b
}

// Int takes an INTEGER from 0 to 2^31-1.
func (c *Cursor) Int() int {
	e := c.Take(Integer)
	if c.err != nil {
		return 0
	}
	n, err := e.Int()
	c.err = err
	return n
}
