// Reads the Engine API's NodeSpec: availability, role and labels.

import { z } from "zod";
import type { Availability, MeshNode } from "../../domain/model/node.ts";
import { invalidBody, quoteValue, readAs } from "./read.ts";

const EngineNodeSpec = z.object({
  Labels: z.record(z.string(), z.string()).nullish(),
  Role: z.string().nullish(),
  Availability: z.string().nullish(),
});

type ParsedNodeSpec = {
  readonly availability: Availability;
  readonly role: MeshNode["role"];
  readonly labels: MeshNode["labels"];
};

/**
 * Reads a complete node spec, as the Docker CLI sends it.
 *
 * @throws MeshError body/invalid, with Docker's message
 */
export function readNodeSpec(json: unknown): ParsedNodeSpec {
  const { Labels, Role, Availability } = readAs(EngineNodeSpec, json, "the node spec");
  const role = (Role ?? "").toLowerCase();
  const availability = (Availability ?? "").toLowerCase();
  if (role !== "worker" && role !== "manager") throw invalidBody(`invalid Role: ${quoteValue(Role ?? "")}`);
  if (availability !== "active" && availability !== "pause" && availability !== "drain") {
    throw invalidBody(`invalid Availability: ${quoteValue(Availability ?? "")}`);
  }
  return { availability, role, labels: Labels ?? {} };
}
