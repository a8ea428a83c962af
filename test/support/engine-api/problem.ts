// Every error answer, with its status from 400 up.

import { z } from "zod";

export const problem = z.strictObject({ message: z.string().min(1) });
