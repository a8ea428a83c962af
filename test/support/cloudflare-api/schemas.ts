// What Cloudflare's API v4 accepts, as far as `waggle deploy` and wrangler use it. Fields that neither sends are refused.
//
// The shapes were compared with the types of the npm package `cloudflare` 7.3.0, which Cloudflare generates from its
// API. They say nothing about what the API refuses, or about error numbers: those are from Cloudflare's documentation
// and wrangler 4.164. `code_update_strategy` is not among the types; wrangler sends it. No request to Cloudflare itself
// has confirmed any of it.

import { z } from "zod";

export const NewDnsRecord = z.strictObject({
  type: z.enum(["A", "AAAA", "CNAME", "TXT"]),
  name: z.string().min(1).max(255),
  content: z.string().min(1),
  /** Required; 1 is automatic. */
  ttl: z.union([z.literal(1), z.number().int().min(60).max(86_400)]),
  proxied: z.boolean().optional(),
  /** Workers Free and Pro zones differ: 100 characters is the smaller limit. */
  comment: z.string().max(100).optional(),
});

/** A route without `script` turns Workers off. The API takes further patterns. */
export const NewRoute = z.strictObject({
  pattern: z.string().regex(/^(?:\*\.?)?[a-z0-9.-]+\/\*$/),
  script: z.string().optional(),
});

export const SubdomainSwitch = z.strictObject({
  enabled: z.boolean(),
  previews_enabled: z.boolean().optional(),
});

const Annotations = z.strictObject({
  "workers/message": z.string().optional(),
  /** At most 100 bytes. */
  "workers/tag": z.string().max(100).optional(),
});

const Observability = z.strictObject({
  enabled: z.boolean(),
  head_sampling_rate: z.number().min(0).max(1).nullish(),
});

const Binding = z.discriminatedUnion("type", [
  z.strictObject({ name: z.string(), type: z.literal("plain_text"), text: z.string() }),
  z.strictObject({ name: z.string(), type: z.literal("secret_text"), text: z.string().min(1) }),
  z.strictObject({
    name: z.string(),
    type: z.literal("durable_object_namespace"),
    class_name: z.string(),
    script_name: z.string().optional(),
  }),
  /** The secret that the Worker has already. */
  z.strictObject({ name: z.string(), type: z.literal("inherit") }),
]);

/** How running Durable Objects get the new code. */
const CodeUpdateStrategy = z.strictObject({
  mode: z.enum(["deferred", "immediate"]),
  max_delay: z.number().int().min(0).max(300).optional(),
});

/** The version that all requests get. */
export const NewDeployment = z.strictObject({
  strategy: z.literal("percentage"),
  versions: z.tuple([z.strictObject({ version_id: z.string(), percentage: z.literal(100) })]),
  annotations: Annotations.optional(),
  code_update_strategy: CodeUpdateStrategy.optional(),
});

/** Settings that versions do not have. */
export const ScriptSettings = z.strictObject({
  tags: z.array(z.string()).nullish(),
  logpush: z.boolean().optional(),
  tail_consumers: z.array(z.unknown()).nullish(),
  observability: Observability.nullish(),
});

/** The part `metadata` of an upload. */
export const UploadMetadata = z.strictObject({
  main_module: z.string(),
  bindings: z.array(Binding),
  compatibility_date: z.string().regex(/^\d{4}-\d{2}-\d{2}$/),
  compatibility_flags: z.array(z.string()).default([]),
  migrations: z
    .strictObject({
      old_tag: z.string().optional(),
      new_tag: z.string(),
      steps: z.array(z.strictObject({ new_sqlite_classes: z.array(z.string()) })),
    })
    .optional(),
  keep_bindings: z.array(z.string()).optional(),
  limits: z.strictObject({ cpu_ms: z.number().int().min(10).max(300_000) }).optional(),
  observability: Observability.optional(),
  code_update_strategy: CodeUpdateStrategy.optional(),
  annotations: Annotations.optional(),
});

export type UploadMetadata = z.infer<typeof UploadMetadata>;

export type ApiRecord = z.infer<typeof NewDnsRecord> & {
  readonly id: string;
  readonly meta?: { readonly origin_worker_id?: string };
};

export type ApiRoute = {
  readonly id: string;
  readonly pattern: string;
  readonly script?: string | undefined;
};
