package gradebook_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"coalmine/lab/teaching/grade/gradebook"
)

func grades() []gradebook.Grade {
	half, full := 0.5, 1.0
	return []gradebook.Grade{
		{Learner: "doejane_77", CanvasID: "77", Share: &half, Max: 100},
		{Learner: "bob@example.org", Share: &full, Max: 100},
		{Learner: "Zoë Li_5", FullName: "Zoë Li", Share: &half, Max: 100},
		{Learner: "eve", Max: 100},
		{Learner: "stranger", Share: &full, Max: 100},
		{Learner: "Kim_1", FullName: "Kim Lee", Share: &full, Max: 100},
	}
}

const canvas = "\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,Lab 6 (10),Lab 7 (11),Final Score\r\n" +
	"    Points Possible,,,,,5,12,(read only)\r\n" +
	"\"Doe, Jane\",77,s1,jane,A,5,,\"=1+1\"\r\n" +
	"\"Marley, Bob\",78,s2,bob@example.org,A,4,3,50\r\n" +
	"\"Li, Zoë\",79,s3,zoe,A,,,\r\n" +
	"\"Moss, Eve\",80,s4,eve,A,,9,\r\n" +
	"\"Lee, Kim\",81,s5,kim1,A,,,\r\n" +
	"\"Lee, Kim\",82,s6,kim2,B,,,\r\n"

func TestCanvas(t *testing.T) {
	book, report, err := gradebook.Fill([]byte(canvas), grades(), gradebook.Options{Kind: gradebook.Canvas,
		Column: "Lab 7"})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(`s1,jane,A,5,,"=1+1"`, `s1,jane,A,5,6,=1+1`, "A,4,3,50", "A,4,12,50", "s3,zoe,A,,,",
		"s3,zoe,A,,6,").Replace(canvas)
	if diff := cmp.Diff(want, string(book)); diff != "" {
		t.Errorf("the gradebook differs (-want +got):\n%s", diff)
	}
	wantReport := gradebook.Report{Column: "Lab 7 (11)", Filled: 3, Replaced: 1, NotGraded: []string{"eve"},
		Unknown: []string{"stranger"}, Ambiguous: []string{"Kim_1"}}
	if diff := cmp.Diff(wantReport, report); diff != "" {
		t.Errorf("the report differs (-want +got):\n%s", diff)
	}
}

func TestMoodle(t *testing.T) {
	const moodle = "First name;Last name;ID number;Email address;Assignment: Lab 7 (Real);Last downloaded\n" +
		"Jane;Doe;77;jane@example.org;-;1\nBob;Marley;;Bob@Example.org;-;1\nZoë;Li;;z@example.org;;1\n"
	book, report, err := gradebook.Fill([]byte(moodle), grades(), gradebook.Options{Kind: gradebook.Moodle,
		Column: "Lab 7", Scale: 20})
	if err != nil {
		t.Fatal(err)
	}
	// The number in Canvas' file names is not Moodle's ID number.
	want := strings.NewReplacer("g;-;1\nZ", "g;20;1\nZ", "z@example.org;;1", "z@example.org;10;1").Replace(moodle)
	if diff := cmp.Diff(want, string(book)); diff != "" {
		t.Errorf("the gradebook differs (-want +got):\n%s", diff)
	}
	if report.Filled != 2 || report.Replaced != 0 {
		t.Errorf("the report is %+v", report)
	}
}

func TestNoColumnIsCreated(t *testing.T) {
	for _, name := range []string{"Lab 8", "ID", "", "lab 7"} {
		_, _, err := gradebook.Fill([]byte(canvas), grades(), gradebook.Options{Kind: gradebook.Canvas, Column: name})
		if err == nil || !strings.Contains(err.Error(), "no column") {
			t.Errorf("%q: %v, want that there is no such column", name, err)
		}
	}
}

func TestOneRowIsNotForTwo(t *testing.T) {
	full := 1.0
	two := []gradebook.Grade{{Learner: "jane", Share: &full, Max: 1},
		{Learner: "doejane", CanvasID: "77", Share: &full, Max: 1}}
	book, report, err := gradebook.Fill([]byte(canvas), two, gradebook.Options{Kind: gradebook.Canvas,
		Column: "Lab 7 (11)"})
	if err != nil || string(book) != canvas || len(report.Ambiguous) != 2 {
		t.Errorf("filled: %+v, %v", report, err)
	}
}
