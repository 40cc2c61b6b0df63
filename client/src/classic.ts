/** The classic script: the same library as `window.brine`, for pages without a bundler. */
import type * as api from "./api";
import { app, dropped, forget, installId, interaction, notice, optIn, optOut, resume } from "./brine";

(window as any).brine = {
  app, dropped, forget, installId, interaction, notice, optIn, optOut, resume,
} satisfies typeof api;
