package quiz

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"io"
	"strconv"

	"coalmine/lab/scenario"
)

// Namespaces of the documents in the archive, as Canvas exports and imports them.
const (
	nsQTI      = "http://www.imsglobal.org/xsd/ims_qtiasiv1p2"
	nsManifest = "http://www.imsglobal.org/xsd/imsccv1p1/imscp_v1p1"
	nsCanvas   = "http://canvas.instructure.com/xsd/cccv1p0"
)

// fullScore is what an item counts at most, in percent.
const fullScore = "100"

// response is the only response of an item.
const response = "response1"

// qti writes a zip archive with a quiz as QTI 1.2: a manifest, the assessment, and what Canvas wants
// to know about it. The same quiz gives the same bytes.
func qti(w io.Writer, title string, all []Asked) error {
	for i, a := range all {
		if err := checkCanvas(i, a); err != nil {
			return err
		}
	}
	id := qtiID(title, all)
	assessment := "coalmine_assessment_" + id
	meta := assessment + "/assessment_meta.xml"
	questions := assessment + "/" + assessment + ".xml"
	z := zip.NewWriter(w)
	for _, f := range []struct {
		name string
		root element
	}{
		{"imsmanifest.xml", qtiManifest(id, assessment, questions, meta)},
		{questions, qtiAssessment(assessment, title, all)},
		{meta, qtiMeta(assessment, title, len(all))},
	} {
		data, err := document(f.root)
		if err != nil {
			return err
		}
		out, err := z.Create(f.name)
		if err != nil {
			return err
		}
		if _, err := out.Write(data); err != nil {
			return err
		}
	}
	return z.Close()
}

// qtiID identifies a quiz by its content: a quiz that is imported again replaces itself.
func qtiID(title string, all []Asked) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q", title)
	for _, a := range all {
		fmt.Fprintf(h, "%q%q%q%q%q%v", a.Kind, a.Question.Question, a.Options, a.Answers, a.Why, a.Value)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func qtiManifest(id, assessment, questions, meta string) element {
	dependency := "coalmine_dependency_" + id
	return el("manifest", attrs("identifier", "coalmine_manifest_"+id, "xmlns", nsManifest),
		el("metadata", nil, textEl("schema", "IMS Content"), textEl("schemaversion", "1.1.3")),
		el("organizations", nil),
		el("resources", nil,
			el("resource", attrs("identifier", assessment, "type", "imsqti_xmlv1p2"),
				el("file", attrs("href", questions)), el("dependency", attrs("identifierref", dependency))),
			el("resource", attrs("identifier", dependency,
				"type", "associatedcontent/imscc_xmlv1p1/learning-application-resource", "href", meta),
				el("file", attrs("href", meta)))))
}

func qtiMeta(assessment, title string, points int) element {
	return el("quiz", attrs("identifier", assessment, "xmlns", nsCanvas),
		textEl("title", title), textEl("shuffle_answers", "false"), textEl("scoring_policy", "keep_highest"),
		textEl("quiz_type", "assignment"), textEl("points_possible", strconv.Itoa(points)+".0"),
		textEl("show_correct_answers", "true"), textEl("allowed_attempts", "1"), textEl("available", "false"))
}

func qtiAssessment(id, title string, all []Asked) element {
	section := el("section", attrs("ident", "root_section"))
	for i, a := range all {
		section.Children = append(section.Children, qtiItem(fmt.Sprintf("question_%d", i+1), i+1, a))
	}
	return el("questestinterop", attrs("xmlns", nsQTI),
		el("assessment", attrs("ident", id, "title", title),
			el("qtimetadata", nil, qtiField("cc_maxattempts", "1")), section))
}

func qtiField(label, entry string) element {
	return el("qtimetadatafield", nil, textEl("fieldlabel", label), textEl("fieldentry", entry))
}

// qtiType names the kind of a question as Canvas does.
func qtiType(a Asked) string {
	switch {
	case a.Open != "":
		return "essay_question"
	case a.Kind == scenario.KindMultiple:
		return "multiple_answers_question"
	case a.Kind == scenario.KindNumber:
		return "numerical_question"
	case a.Kind == scenario.KindText:
		return "short_answer_question"
	}
	return "multiple_choice_question"
}

func qtiItem(id string, number int, a Asked) element {
	item := el("item", attrs("ident", id, "title", "Question "+strconv.Itoa(number)),
		el("itemmetadata", nil, el("qtimetadata", nil, qtiField("question_type", qtiType(a)),
			qtiField("points_possible", "1"), qtiField("assessment_question_identifierref", id+"_ref"))),
		qtiPresentation(id, a), qtiProcessing(id, a))
	if a.Why != "" {
		item.Children = append(item.Children, el("itemfeedback", attrs("ident", "general_fb"),
			el("flow_mat", nil, el("material", nil, qtiHTML(a.Why)))))
	}
	return item
}

// qtiHTML is a text that Canvas reads as HTML: it is escaped for HTML, and again for XML.
func qtiHTML(text string) element {
	return textEl("mattext", "<p>"+html.EscapeString(oneLine(text))+"</p>", "texttype", "text/html")
}

func qtiOption(id string, option int) string {
	return id + "_" + scenario.Letter(option)
}

func qtiPresentation(id string, a Asked) element {
	question := el("material", nil, qtiHTML(a.Question.Question))
	if a.Kind.HasOptions() && a.Open == "" {
		cardinality := "Single"
		if a.Kind == scenario.KindMultiple {
			cardinality = "Multiple"
		}
		choices := el("render_choice", nil)
		for i, o := range a.Options {
			choices.Children = append(choices.Children, el("response_label", attrs("ident", qtiOption(id, i)),
				el("material", nil, qtiHTML(o))))
		}
		return el("presentation", nil, question,
			el("response_lid", attrs("ident", response, "rcardinality", cardinality), choices))
	}
	blank := el("render_fib", nil, el("response_label", attrs("ident", "answer1", "rshuffle", "No")))
	if a.Kind == scenario.KindNumber && a.Open == "" {
		blank = el("render_fib", attrs("fibtype", "Decimal"), el("response_label", attrs("ident", "answer1")))
	}
	return el("presentation", nil, question,
		el("response_str", attrs("ident", response, "rcardinality", "Single"), blank))
}

func qtiProcessing(id string, a Asked) element {
	p := el("resprocessing", nil, el("outcomes", nil, el("decvar",
		attrs("maxvalue", fullScore, "minvalue", "0", "varname", "SCORE", "vartype", "Decimal"))))
	if a.Why != "" {
		p.Children = append(p.Children, el("respcondition", attrs("continue", "Yes"),
			el("conditionvar", nil, el("other", nil)),
			el("displayfeedback", attrs("feedbacktype", "Response", "linkrefid", "general_fb"))))
	}
	if a.Open != "" {
		return withChildren(p, el("respcondition", attrs("continue", "No"), el("conditionvar", nil, el("other", nil))))
	}
	return withChildren(p, el("respcondition", attrs("continue", "No"), el("conditionvar", nil, qtiCondition(id, a)...),
		textEl("setvar", fullScore, "action", "Set", "varname", "SCORE")))
}

func withChildren(e element, more ...element) element {
	e.Children = append(e.Children, more...)
	return e
}

// qtiCondition is what a right answer meets.
func qtiCondition(id string, a Asked) []element {
	equal := func(value string) element { return textEl("varequal", value, "respident", response) }
	var all []element
	switch a.Kind {
	case scenario.KindNumber:
		return []element{el("or", nil, equal(exact(a.Value)), el("and", nil,
			textEl("vargte", exact(a.Value-a.Margin()), "respident", response),
			textEl("varlte", exact(a.Value+a.Margin()), "respident", response)))}
	case scenario.KindText:
		for _, t := range a.Answers {
			all = append(all, equal(oneLine(t)))
		}
		return all
	case scenario.KindMultiple:
		for i := range a.Options {
			if e := equal(qtiOption(id, i)); a.IsRight(i) {
				all = append(all, e)
			} else {
				all = append(all, el("not", nil, e))
			}
		}
		return []element{el("and", nil, all...)}
	}
	for i := range a.Options {
		if a.IsRight(i) {
			all = append(all, equal(qtiOption(id, i)))
		}
	}
	return all
}
