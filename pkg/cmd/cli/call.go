package cli

import (
	"slices"
	"strings"
)

// written is the plugin's name in texts that are made below pkg/cmd. Nobody there knows how it was called.
const written = "kubectl onyxia"

// Call is how a person calls the plugin again for the same datalab: its name, with the flags that say where that is.
func (o *Options) Call() string { return o.call(nil) }

// call leaves out what stands in the arguments that come after it. Helm keeps some of them for itself.
func (o *Options) call(args []string) string {
	words := []string{o.Command}
	for _, flag := range []struct {
		name  string
		value *string
	}{
		{"--kubeconfig", o.Kube.KubeConfig}, {"--context", o.Kube.Context}, {"-n", o.Kube.Namespace}, {"-f", &o.File},
	} {
		if flag.value != nil && *flag.value != "" && !slices.ContainsFunc(args, func(arg string) bool { return strings.HasSuffix(arg, *flag.value) }) {
			words = append(words, flag.name, quoted(*flag.value))
		}
	}
	return strings.Join(words, " ")
}

// quoted is a word as a shell takes it.
func quoted(word string) string {
	if strings.ContainsAny(word, " \t\"'$`\\&|;<>()*?[]#~!{}") {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return word
}

// Worded puts the plugin's name into advice as it was called here, so that the advice can be pasted.
func (o *Options) Worded(text string) string {
	call := o.Call()
	if call == written {
		return text
	}
	// What was worded before stays as it is.
	return strings.ReplaceAll(strings.ReplaceAll(text, call, written), written, call)
}
