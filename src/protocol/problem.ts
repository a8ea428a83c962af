// A problem: the body of every answer of the control API that is not a success, as the Engine API has it.

import { z } from "zod";

/** What the Docker CLI prints after `Error response from daemon: `. */
export const ProblemBody = z.object({ message: z.string() });
export type ProblemBody = z.infer<typeof ProblemBody>;
