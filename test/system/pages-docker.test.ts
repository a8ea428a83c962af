// The commands of pages with containers.

import { testPages } from "../support/test-pages.ts";

testPages(["a mesh with Docker", "a Docker Engine"]);
