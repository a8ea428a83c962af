// A Durable Object under the platform's rules: it refuses requests above its rate, its rows are counted, its own calls
// to other objects take time, and it can be reset. The class of the mesh does not know.

import type { ClassMeter, ObjectMeter } from "../../src/local/platform/object-counts.ts";
import { overloadedError, RequestRate } from "../../src/local/platform/request-rate.ts";
import type { RowBudget, RowCounts } from "../../src/local/platform/row-budget.ts";
import type { Env } from "../env.ts";
import { runInvocation } from "./outbound-fetch.ts";

/** What the objects of a mesh share. */
export type ObjectPlatform = {
  readonly requestsPerSecond: number;
  readonly rows: RowBudget;
  /** The environment of the objects, in the place of the Worker's. */
  readonly env: Env;
  /** Called with each request. */
  readonly onRequest: (isRefused: boolean) => void;
};

type ObjectClass = new (ctx: DurableObjectState, env: Env) => object;
type Method = (this: object, ...args: unknown[]) => unknown;

/** The method by which an object is reset. */
export const resetMethod = "resetByPlatform";

/** Methods that the platform calls: their rate is not limited, because they have no caller to refuse. */
const ownEvents: ReadonlySet<string> = new Set([
  "alarm",
  "webSocketMessage",
  "webSocketClose",
  "webSocketError",
]);

/** What counts the rows of an object, kept for as long as the object. The runtime may drop its wrappers otherwise. */
const countersOf = new WeakMap<object, readonly object[]>();

/** A class with the behavior of `Base`, under the rules. @param meter of the class */
export function platformObject<Base>(Base: Base, platform: ObjectPlatform, meter: ClassMeter): Base {
  // The compiler accepts only constructors with one rest parameter as the base of a mixin.
  const Plain = Base as ObjectClass;
  class PlatformObject extends Plain {
    readonly #ctx: DurableObjectState;
    readonly #rate = new RequestRate(platform.requestsPerSecond, Date.now());
    readonly #meter: ObjectMeter;

    static {
      for (const name of methodsOf(Plain.prototype)) {
        const method = Plain.prototype[name] as Method;
        const value = function (this: PlatformObject, ...args: unknown[]): unknown {
          return runInvocation(() => {
            if (!ownEvents.has(name)) this.#admit();
            return this.#metered(name, () => method.apply(this, args));
          });
        };
        Object.defineProperty(PlatformObject.prototype, name, { value });
      }
    }

    constructor(ctx: DurableObjectState, _env: Env) {
      const own = meter.start(ctx.id.toString(), Date.now());
      const counters = countRows(ctx.storage, platform.rows, (rows) => own.countRows(rows));
      super(ctx, platform.env);
      this.#ctx = ctx;
      this.#meter = own;
      countersOf.set(this, counters);
    }

    [resetMethod](): void {
      this.#meter.end(Date.now());
      this.#ctx.abort("Durable Object reset because its host moved.");
    }

    /** Counts an event until it is handled. */
    #metered(name: string, work: () => unknown): unknown {
      const end = this.#meter.begin(name, Date.now());
      const finish = (): void => end(Date.now(), this.#ctx.storage.sql.databaseSize);
      let result: unknown;
      try {
        result = work();
      } catch (error) {
        finish();
        throw error;
      }
      if (!(result instanceof Promise)) {
        finish();
        return result;
      }
      return result.finally(finish);
    }

    #admit(): void {
      const isAdmitted = this.#rate.take(Date.now());
      platform.onRequest(!isAdmitted);
      if (!isAdmitted) throw overloadedError();
    }
  }
  return PlatformObject as Base;
}

function methodsOf(prototype: object): readonly string[] {
  return Object.entries(Object.getOwnPropertyDescriptors(prototype))
    .filter(([name, { value }]) => name !== "constructor" && typeof value === "function")
    .map(([name]) => name);
}

/** Counts the rows of an object's statements and alarms. @returns what counts them */
function countRows(
  storage: DurableObjectStorage,
  rows: RowBudget,
  onRows: (rows: RowCounts) => void,
): readonly object[] {
  const { sql } = storage;
  const count = (counts: RowCounts): void => {
    rows.count(counts, Date.now());
    onRows(counts);
  };
  const exec = sql.exec.bind(sql);
  const countedExec = (text: string, ...bindings: unknown[]) => {
    const refusal = rows.refusal(text, Date.now());
    if (refusal !== null) throw new Error(refusal);
    const cursor = exec(text, ...bindings);
    const toArray = cursor.toArray.bind(cursor);
    const countedToArray = () => {
      const result = toArray();
      count({ read: cursor.rowsRead, written: cursor.rowsWritten });
      return result;
    };
    return Object.defineProperty(cursor, "toArray", { value: countedToArray });
  };
  const setAlarm = storage.setAlarm.bind(storage);
  const countedAlarm = (time: number | Date): Promise<void> => {
    const refusal = rows.alarmRefusal(Date.now());
    if (refusal !== null) return Promise.reject(new Error(refusal));
    count({ read: 0, written: 1 });
    return setAlarm(time);
  };
  Object.defineProperty(sql, "exec", { value: countedExec });
  Object.defineProperty(storage, "setAlarm", { value: countedAlarm });
  return [storage, sql];
}
