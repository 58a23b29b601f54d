// Package xmldoc reads the XML documents of the platform: it parses bytes into
// an etree document under fixed limits, and finds elements in it.
//
// It closes the gaps that etree leaves open on purpose. etree takes a second
// root element and text behind the root, keeps a half-built tree when it returns
// an error, reads the bytes of any declared charset as UTF-8, and its paths and
// its SelectElement compare the prefix that a producer happened to choose. Here
// a document is whole or an error, and names are compared by local name and
// namespace URI.
//
// Errors never quote the document, because the documents hold passwords: the
// text that encoding/xml puts into its errors (an unknown entity, an element
// name) is replaced by a class and a line number.
package xmldoc
