import type { ProbeSpec } from "./service.ts";

type Labels = Readonly<Record<string, string>>;

/** Host names of label `waggle.host`, lower case, each once, in order. */
export function hostsOf(_labels: Labels): readonly string[] {
  throw new Error("not built yet");
}

/** True when label `waggle.default` says so. */
export function isDefaultService(_labels: Labels): boolean {
  throw new Error("not built yet");
}

/** The probe label `waggle.probe` asks for; undefined: the image's own. */
export function probeOf(_labels: Labels): ProbeSpec | undefined {
  throw new Error("not built yet");
}

/** Throws a MeshError when a `waggle.*` label is unknown or cannot be read. */
export function checkLabels(_labels: Labels): void {
  throw new Error("not built yet");
}
