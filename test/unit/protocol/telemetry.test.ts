import { expect, expectTypeOf, test } from "vitest";
import { MeshTrafficReport } from "../../../src/protocol/telemetry.ts";
import type { Snapshot } from "../../../src/telemetry/snapshot.ts";
import { newTelemetry } from "../../support/telemetry.ts";
import { delta, entryDelta, taskDelta } from "../telemetry/deltas.ts";

/** A type as its JSON is read: without `readonly`, and with counters of any name, as a newer mesh may have more. */
type Wire<T> = T extends readonly (infer Item)[]
  ? Wire<Item>[]
  : T extends object
    ? { -readonly [Key in keyof T]: Key extends "counts" ? Record<string, number> : Wire<T[Key]> }
    : T;

test("[J14] the schema of GET /mesh/telemetry has all fields of a snapshot and no others", () => {
  expectTypeOf<Wire<Snapshot>>().toEqualTypeOf<MeshTrafficReport>();
  const telemetry = newTelemetry();
  const counted = telemetry.count(
    delta(1, { entries: [entryDelta({ requests: 1 }, [7])], tasks: [taskDelta({ attempts: 1 }, [7])] }),
  );
  expect(counted).toEqual({ ok: true, value: true });
  const snapshot = telemetry.snapshot({ series: true, trend: true, colos: true });
  expect(MeshTrafficReport.parse(snapshot)).toEqual(snapshot);
  expect([snapshot.services[0]?.tasks.length, snapshot.colos[0]?.isolates.length]).toEqual([1, 1]);
});
