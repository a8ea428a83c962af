// The body of every error response of the control API, in the Engine API's form.

import { z } from "zod";

/** The Docker CLI prints the message after `Error response from daemon: `. */
export const ProblemBody = z.object({ message: z.string() });
export type ProblemBody = z.infer<typeof ProblemBody>;
