// The response of POST /dashboard/sign-in-link: a link that signs an operator in to the dashboard once.

import { z } from "zod";

export const SignInLink = z.object({
  /** Path and query on the control Worker's origin. */
  path: z.string().startsWith("/dashboard/"),
  /** Epoch milliseconds. */
  expiresAtMs: z.number().int(),
});
export type SignInLink = z.infer<typeof SignInLink>;
