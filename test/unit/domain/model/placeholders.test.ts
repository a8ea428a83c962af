import { expect, test } from "vitest";
import {
  checkPlaceholders,
  expandPlaceholders,
  type PlaceholderValues,
} from "../../../../src/domain/model/placeholders.ts";

const values: PlaceholderValues = {
  service: { id: "s1", name: "my-web", labels: { zone: "a", "com.example/x": "}}" } },
  node: { id: "n1", hostname: "node1", os: "linux", arch: "x86_64" },
  task: { id: "t1", name: "my-web.2.t1", slot: "2" },
};

test.each([
  ["plain", "plain"],
  ["{{.Service.ID}} {{.Service.Name}}", "s1 my-web"],
  ["{{.Node.ID}} {{.Node.Hostname}}", "n1 node1"],
  ["{{.Node.Platform.OS}}/{{.Node.Platform.Architecture}}", "linux/x86_64"],
  ["{{.Task.ID}} {{.Task.Name}} {{.Task.Slot}}", "t1 my-web.2.t1 2"],
  ["{{ .Node.Hostname }}-{{.Task.Slot}}", "node1-2"],
  ["{{.Service.Labels.zone}}", "a"],
  ['{{index .Service.Labels "zone"}}[{{index .Service.Labels "none"}}]', "a[]"],
  ['{{index .Service.Labels `com.example/x`}}{{"}}"}}', "}}}}"],
  ['{{join "-" .Service.Name .Task.Slot "x"}}', "my-web-2-x"],
  ["a {{- .Task.Slot -}} b{{/* no text */}}", "a2b"],
  ["}} {x}", "}} {x}"],
])("[N110] %j expands as in Swarm", (text, expanded) => {
  expect(expandPlaceholders(text, values)).toBe(expanded);
});

test.each([
  ["{{.Node.Name}}", "cannot expand {{.Node.Name}}: use one of .Service.ID, "],
  ["{{.constructor}}", "cannot expand {{.constructor}}: use one of "],
  ["{{}}", "cannot expand {{}}: use one of "],
  ["{{if .Task.Slot}}x{{end}}", "cannot expand {{if .Task.Slot}}: use one of "],
  ["a{{.Task.Slot", 'cannot expand "a{{.Task.Slot": "{{" has no "}}"'],
])("[N110] %j is refused with the placeholders that can be expanded", (text, message) => {
  expect(() => checkPlaceholders(text)).toThrow(message);
});

test("[N110] a label that the service does not have is named when the task is made, not before", () => {
  expect(() => checkPlaceholders("{{.Service.Labels.rack}}")).not.toThrow();
  expect(() => expandPlaceholders("{{.Service.Labels.rack}}", values)).toThrow('has no label "rack"');
});
