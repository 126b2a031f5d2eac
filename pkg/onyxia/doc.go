// Package onyxia knows Onyxia's Helm chart: it renders values and regions for each generation of its schema, finds in
// values what the chart and the API would drop without a word, and tells whether a running API serves what was rendered.
//
// Which key exists in which chart version is data: keys.yaml. References such as D5 or P7 are explained in
// docs/guide-defects.md.
package onyxia
