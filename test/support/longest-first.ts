// The order in which test files start.

import { basename } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * The end-to-end files that take longest, first. If one of them started last, it would run alone at the end. Vitest
 * knows how long a file takes only from an earlier run in the same clone, and goes by its size otherwise.
 */
const longestFiles = [
  "pages.test.ts",
  "supervision.test.ts",
  "pages-docker.test.ts",
  "lab-docker.test.ts",
  "systemd-live.test.ts",
  "swarm-comparison.test.ts",
  "lab.test.ts",
  "agent.test.ts",
  "dashboard.test.ts",
  "docker-golden.test.ts",
  "dockerd-golden.test.ts",
  "mesh.test.ts",
  "deploy.test.ts",
  "prometheus.test.ts",
  "haproxy-corpus.test.ts",
  "docker-cli.test.ts",
  "state-folder.test.ts",
  "servers.test.ts",
  "tcp.test.ts",
];

/** Starts the longest files first. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => orderOf(a) - orderOf(b) || rankOf(a) - rankOf(b));
  }
}

const orderOf = ({ project }: TestSpecification): number => project.config.sequence.groupOrder;

function rankOf({ moduleId, project }: TestSpecification): number {
  const rank = ["e2e", "edge", "recovery", "system"].includes(project.name)
    ? longestFiles.indexOf(basename(moduleId))
    : -1;
  return rank === -1 ? longestFiles.length : rank;
}
