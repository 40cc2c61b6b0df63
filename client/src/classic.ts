/** The classic script: the same library as `window.brine`, for pages without a bundler. */
import { interaction, waiting } from "./brine";

Object.assign(window, { brine: { interaction, waiting } });
