package quiz

import "encoding/xml"

// element is an element of an XML document.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Text     string     `xml:",chardata"`
	Children []element
}

// el returns an element; attributes are names and values in turn.
func el(name string, attributes []string, children ...element) element {
	e := element{XMLName: xml.Name{Local: name}, Children: children}
	for i := 0; i+1 < len(attributes); i += 2 {
		e.Attrs = append(e.Attrs, xml.Attr{Name: xml.Name{Local: attributes[i]}, Value: attributes[i+1]})
	}
	return e
}

// textEl returns an element with a text.
func textEl(name, text string, attributes ...string) element {
	e := el(name, attributes)
	e.Text = text
	return e
}

func attrs(namesAndValues ...string) []string { return namesAndValues }

// document writes a whole document.
func document(root element) ([]byte, error) {
	body, err := xml.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(body, '\n')...), nil
}
