// The platform's price list, as prices.json has it, with the date and the pages that it was read from.

import { readFileSync } from "node:fs";
import { z } from "zod";

/** What is billed, and limited by Workers Free. Its order is that of the bill. */
export const billedItems = [
  "requests",
  "cpuMs",
  "objectRequests",
  "gbSeconds",
  "rowsRead",
  "rowsWritten",
  "storedGb",
] as const;
export type BilledItem = (typeof billedItems)[number];

const amount = z.number().nonnegative();
const urls = z.array(z.url()).min(1);
/** Prices are US dollars for each `per` units above the included ones of a month. */
const ItemPrice = z.strictObject({ included: amount, price: amount, per: z.number().positive() });

const Prices = z.strictObject({
  readAt: z.iso.date(),
  sources: urls,
  paid: z.strictObject({
    monthly: amount,
    items: z.record(z.enum(billedItems), ItemPrice),
  }),
  /** Amounts of a day; stored gigabytes are those at a time. CPU time has a limit for each request instead. */
  freePerDay: z.record(z.enum(billedItems).exclude(["cpuMs"]), z.number().positive()),
  freeCpuMsPerRequest: z.number().positive(),
  objects: z.strictObject({
    /** What an active object is billed for, whatever it uses. */
    memoryGb: z.number().positive(),
    /** Incoming messages of WebSockets that count as one request. */
    messagesPerRequest: z.number().positive(),
    hibernatesAfterSeconds: z.number().positive(),
    /** A soft limit. Above it an object is overloaded. */
    maxRequestsPerSecond: z.number().positive(),
  }),
  haproxy: z.strictObject({
    what: z.string(),
    sources: urls,
    machines: z.int().positive(),
    monthlyPerMachine: amount,
    transferGibPerMachine: amount,
    pricePerGib: amount,
  }),
  loadBalancing: z.strictObject({
    what: z.string(),
    sources: urls,
    monthly: amount,
    includedEndpoints: amount,
    monthlyPerEndpoint: amount,
    maxEndpoints: z.int().positive(),
  }),
  /** Size of a response, for what others bill transfer by. Cloudflare does not. */
  responseKb: z.number().positive(),
});

export type Prices = z.infer<typeof Prices>;

/** The price list of this folder. @throws Error if it is not complete */
export function readPrices(): Prices {
  return Prices.parse(JSON.parse(readFileSync(new URL("prices.json", import.meta.url), "utf8")));
}
