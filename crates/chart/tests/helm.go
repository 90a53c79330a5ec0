// Renders the chart's templates by Go's own text/template, as Helm does it, with those of Helm's functions
// that the chart uses. Reads what to render from stdin and writes what came of it to stdout, as JSON.
package main

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"text/template"
)

type files map[string]string

// Get is what templates know as .Files.Get.
func (f files) Get(name string) string { return f[name] }

func fatal(err error) {
	if err != nil {
		panic(err)
	}
}

func isEmpty(given interface{}) bool {
	value := reflect.ValueOf(given)
	if !value.IsValid() {
		return true
	}
	truth, _ := template.IsTrue(given)
	return !truth
}

func main() {
	var asked struct {
		Values    map[string]interface{} `json:"values"`
		Namespace string                 `json:"namespace"`
		Version   string                 `json:"version"`
		Files     files                  `json:"files"`
	}
	fatal(json.NewDecoder(os.Stdin).Decode(&asked))
	functions := template.FuncMap{
		"toJson": func(value interface{}) string {
			text, err := json.Marshal(value)
			fatal(err)
			return string(text)
		},
		"default": func(usual, given interface{}) interface{} {
			if isEmpty(given) {
				return usual
			}
			return given
		},
		"indent": func(width int, text string) string {
			blanks := strings.Repeat(" ", width)
			return blanks + strings.ReplaceAll(text, "\n", "\n"+blanks)
		},
	}
	top := map[string]interface{}{
		"Values":  asked.Values,
		"Files":   asked.Files,
		"Release": map[string]interface{}{"Name": "chandra", "Namespace": asked.Namespace},
		"Chart": map[string]interface{}{
			"Name": "chandra", "Version": asked.Version, "AppVersion": asked.Version,
		},
	}
	rendered := map[string]string{}
	for path, text := range asked.Files {
		if !strings.HasPrefix(path, "templates/") {
			continue
		}
		parsed, err := template.New(path).Funcs(functions).Parse(text)
		fatal(err)
		var out strings.Builder
		fatal(parsed.Execute(&out, top))
		rendered[path] = out.String()
	}
	fatal(json.NewEncoder(os.Stdout).Encode(rendered))
}
