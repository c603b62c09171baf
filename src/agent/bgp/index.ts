export type { BgpFacts, BgpNote, BgpReason, BgpSettings, Session, SessionType } from './facts.js';
export { LARGE_MESH, renderBgp, type RenderedBgp } from './render-config.js';
