package workloads

import (
	"encoding/json"
	"strings"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
)

// ParseAlert returns workload (NAME.NAMESPACE), severity and text of an alert as posted by
// Flagger's notifiers (flagger, pkg/notifier) for Slack, Rocket and Discord (attachments),
// Microsoft Teams (sections) and Google Chat (cards). Of the severities, only "error" survives in
// the first four, and none in the last. A body in any other format is returned as the text.
func ParseAlert(body []byte) (canary, severity, message string) {
	var p struct {
		Attachments []struct {
			Color  string `json:"color"`
			Author string `json:"author_name"`
			Text   string `json:"text"`
		} `json:"attachments"`
		ThemeColor string `json:"themeColor"`
		Sections   []struct {
			Title    string `json:"activityTitle"`
			Subtitle string `json:"activitySubtitle"`
		} `json:"sections"`
		Cards []struct {
			Header   struct{ Subtitle string } `json:"header"`
			Sections []struct {
				Widgets []struct {
					Paragraph struct{ Text string } `json:"textParagraph"`
				} `json:"widgets"`
			} `json:"sections"`
		} `json:"cards"`
	}
	if json.Unmarshal(body, &p) != nil {
		return "", "", string(body)
	}
	severity = string(flaggerv1.SeverityInfo)
	switch {
	case len(p.Attachments) > 0:
		if p.Attachments[0].Color == "danger" {
			severity = string(flaggerv1.SeverityError)
		}
		return p.Attachments[0].Author, severity, p.Attachments[0].Text
	case len(p.Sections) > 0:
		if p.ThemeColor == "FF0000" {
			severity = string(flaggerv1.SeverityError)
		}
		return p.Sections[0].Subtitle, severity, p.Sections[0].Title
	case len(p.Cards) > 0 && len(p.Cards[0].Sections) > 0 && len(p.Cards[0].Sections[0].Widgets) > 0:
		text := p.Cards[0].Sections[0].Widgets[0].Paragraph.Text
		text = strings.TrimSuffix(strings.TrimPrefix(text, "<font color=#848484><strong>"), "</strong></font>")
		return p.Cards[0].Header.Subtitle, severity, text
	}
	return "", severity, string(body)
}
