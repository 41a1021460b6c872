package quiz_test

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"coalmine/lab/teaching/quiz"
)

// The parts of the archive that Canvas reads.
type (
	qtiManifest struct {
		Resources []struct {
			Identifier string `xml:"identifier,attr"`
			Type       string `xml:"type,attr"`
			Files      []struct {
				Href string `xml:"href,attr"`
			} `xml:"file"`
			Dependency struct {
				Ref string `xml:"identifierref,attr"`
			} `xml:"dependency"`
		} `xml:"resources>resource"`
	}
	qtiQuiz struct {
		Assessment struct {
			Ident string    `xml:"ident,attr"`
			Title string    `xml:"title,attr"`
			Items []qtiItem `xml:"section>item"`
		} `xml:"assessment"`
	}
	qtiItem struct {
		Ident  string `xml:"ident,attr"`
		Fields []struct {
			Label string `xml:"fieldlabel"`
			Entry string `xml:"fieldentry"`
		} `xml:"itemmetadata>qtimetadata>qtimetadatafield"`
		Presentation struct {
			Text string       `xml:"material>mattext"`
			Lid  *qtiResponse `xml:"response_lid"`
			Str  *qtiResponse `xml:"response_str"`
		} `xml:"presentation"`
		Conditions []struct {
			Continue string `xml:"continue,attr"`
			Inner    struct {
				XML string `xml:",innerxml"`
			} `xml:"conditionvar"`
			Set      string `xml:"setvar"`
			Feedback struct {
				Ref string `xml:"linkrefid,attr"`
			} `xml:"displayfeedback"`
		} `xml:"resprocessing>respcondition"`
		Feedback []struct {
			Ident string `xml:"ident,attr"`
		} `xml:"itemfeedback"`
	}
	qtiResponse struct {
		Ident       string `xml:"ident,attr"`
		Cardinality string `xml:"rcardinality,attr"`
		Labels      []struct {
			Ident string `xml:"ident,attr"`
			Text  string `xml:"material>mattext"`
		} `xml:"render_choice>response_label"`
	}
)

// canvasProblems imports an archive as Canvas does, as far as is known (text2qti, README and
// CHANGELOG), and says what would be lost.
func canvasProblems(t *testing.T, data []byte) (items []qtiItem, problems []string) {
	t.Helper()
	add := func(s string) { problems = append(problems, s) }
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string, to any) {
		f, err := z.Open(name)
		if err != nil {
			add(name + " is missing")
			return
		}
		defer f.Close()
		text, err := io.ReadAll(f)
		if err == nil {
			err = xml.Unmarshal(text, to)
		}
		if err != nil {
			add(name + ": " + err.Error())
		}
	}
	var m qtiManifest
	read("imsmanifest.xml", &m)
	if len(m.Resources) != 2 || m.Resources[0].Type != "imsqti_xmlv1p2" ||
		m.Resources[0].Dependency.Ref != m.Resources[1].Identifier {
		add("the manifest does not name an assessment and what belongs to it")
		return nil, problems
	}
	var q qtiQuiz
	read(m.Resources[0].Files[0].Href, &q)
	var meta struct {
		Identifier string `xml:"identifier,attr"`
		Title      string `xml:"title"`
		Points     string `xml:"points_possible"`
	}
	read(m.Resources[1].Files[0].Href, &meta)
	if q.Assessment.Ident != m.Resources[0].Identifier || meta.Identifier != q.Assessment.Ident ||
		meta.Title != q.Assessment.Title {
		add("the identifiers differ, so that the title is lost")
	}
	if meta.Points != strconv.Itoa(len(q.Assessment.Items))+".0" {
		add("the points are " + meta.Points)
	}
	seen := map[string]bool{}
	for _, i := range q.Assessment.Items {
		if seen[i.Ident] {
			add(i.Ident + " is there twice")
		}
		seen[i.Ident] = true
		for _, p := range i.problems() {
			add(i.Ident + ": " + p)
		}
	}
	return q.Assessment.Items, problems
}

func (i qtiItem) kind() string {
	for _, f := range i.Fields {
		if f.Label == "question_type" {
			return f.Entry
		}
	}
	return ""
}

func (i qtiItem) problems() []string {
	var all []string
	labels := []string{}
	switch kind := i.kind(); kind {
	case "multiple_choice_question", "multiple_answers_question":
		want := map[string]string{"multiple_choice_question": "Single", "multiple_answers_question": "Multiple"}[kind]
		if i.Presentation.Lid == nil || i.Presentation.Lid.Cardinality != want || len(i.Presentation.Lid.Labels) < 2 {
			return []string{"it has no options"}
		}
		for _, l := range i.Presentation.Lid.Labels {
			labels = append(labels, l.Ident)
			if strings.TrimSpace(l.Text) == "" {
				all = append(all, "an option is empty")
			}
		}
	case "numerical_question", "short_answer_question", "essay_question":
		if i.Presentation.Str == nil {
			return []string{"it has no field"}
		}
	default:
		return []string{"the kind is " + kind}
	}
	if !strings.HasPrefix(i.Presentation.Text, "<p>") {
		all = append(all, "the question is not HTML")
	}
	graded := 0
	for _, c := range i.Conditions {
		if c.Feedback.Ref != "" && !slices.ContainsFunc(i.Feedback, func(f struct {
			Ident string `xml:"ident,attr"`
		}) bool {
			return f.Ident == c.Feedback.Ref
		}) {
			all = append(all, "its feedback is missing")
		}
		if c.Set == "100" && c.Continue == "No" {
			graded++
			all = append(all, unknownLabels(c.Inner.XML, labels)...)
		}
	}
	if want := 1; graded != want && i.kind() != "essay_question" {
		all = append(all, "it has no condition for full points")
	}
	return all
}

// unknownLabels lists the options that a condition names and the question does not have.
func unknownLabels(condition string, labels []string) []string {
	var all []string
	for _, part := range strings.Split(condition, "<varequal")[1:] {
		_, value, _ := strings.Cut(part, ">")
		value, _, _ = strings.Cut(value, "<")
		if len(labels) > 0 && !slices.Contains(labels, value) {
			all = append(all, "the condition names "+value+", which is not an option")
		}
	}
	return all
}

// TestQTI checks that Canvas can import each quiz of the library, with a run and without.
func TestQTI(t *testing.T) {
	all := library(t)
	all["kinds"] = kinds()
	for name, q := range all {
		data := export(t, quiz.FormatQTI, quiz.Resolve(q, nil))
		if !bytes.Equal(data, export(t, quiz.FormatQTI, quiz.Resolve(q, nil))) {
			t.Errorf("%s: a second export has other bytes", name)
		}
		items, problems := canvasProblems(t, data)
		if len(items) != len(q.Questions) || len(problems) > 0 {
			t.Errorf("%s: %d of %d questions: %v", name, len(items), len(q.Questions), problems)
		}
	}
}

func TestQTIKinds(t *testing.T) {
	q := kinds()
	q.Questions[0].Question = `<script>"1 < 2" & so on</script>`
	items, problems := canvasProblems(t, export(t, quiz.FormatQTI, quiz.Resolve(q, rolledBack())))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var got []string
	for _, i := range items {
		got = append(got, i.kind())
	}
	want := []string{"multiple_choice_question", "multiple_answers_question", "numerical_question",
		"short_answer_question", "numerical_question", "multiple_choice_question", "short_answer_question"}
	if !slices.Equal(got, want) {
		t.Errorf("the kinds are %v, want %v", got, want)
	}
	text := items[0].Presentation.Text
	if strings.Contains(text, "<script>") || !strings.Contains(text, "&lt;script&gt;") {
		t.Errorf("HTML of a question is not escaped: %s", text)
	}
	number := items[2].Conditions[len(items[2].Conditions)-1].Inner.XML
	if !strings.Contains(number, ">11.4</vargte>") || !strings.Contains(number, ">12.6</varlte>") {
		t.Errorf("the bounds of the number are %s", number)
	}
	several := quiz.Resolve(q, rolledBack())
	several[5].Answers = []string{"A", "B"}
	if err := quiz.Export(io.Discard, quiz.FormatQTI, "x", several); err == nil ||
		!strings.Contains(err.Error(), "question 6: 2 options are right") {
		t.Errorf("two right options of one: error %v", err)
	}
}
