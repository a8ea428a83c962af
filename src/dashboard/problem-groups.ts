// Troubles: the mesh's problems by the thing they are about, so that one cause is told once.

import type { StatusProblem } from "../protocol/status.ts";

export type ProblemGroup = {
  /** `node node2`, `service my-web`, `mesh waggle`. */
  readonly what: string;
  readonly sinceMs: number | null;
  readonly lines: readonly { readonly who: readonly string[]; readonly why: string; readonly next: string }[];
};

/** Tasks with the same complaint share a line, and stand with their service; the order is the problems'. */
export function groupProblems(problems: readonly StatusProblem[]): readonly ProblemGroup[] {
  const byThing = Map.groupBy(problems, ({ what }) => groupSubject(what));
  return [...byThing].map(([what, own]) => {
    const since = own.flatMap(({ sinceMs }) => sinceMs ?? []);
    const byWhy = Map.groupBy(own, ({ why }) => why);
    const lines = [...byWhy].map(([why, alike]) => ({
      who: alike.flatMap((problem) => (problem.what === what ? [] : [problem.what.replace(/^task /, "")])),
      why,
      next: alike[0]?.next ?? "",
    }));
    return { what, sinceMs: since.length === 0 ? null : Math.min(...since), lines };
  });
}

/** `service my-web` for `task my-web.1`; everything else is a thing of its own. */
function groupSubject(what: string): string {
  const service = /^task (.+?)\.[^.]+$/.exec(what)?.[1];
  return service === undefined ? what : `service ${service}`;
}
