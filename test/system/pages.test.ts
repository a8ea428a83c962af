// The commands of pages without containers.

import { testPages } from "../support/test-pages.ts";

testPages(["a clone", "a mesh"]);
