export { BgpView } from './bgp-view.js';
export { readPasswords, type Passwords } from './bird-files.js';
export {
  BirdKeeper,
  PORT_TAKEN,
  type BgpStatus,
  type BirdKeeperOptions,
  type WantedBgp,
} from './bird-keeper.js';
export type { BgpFacts, BgpNote, BgpReason, BgpSettings, Session, SessionType } from './facts.js';
export { LARGE_MESH, renderBgp, type RenderedBgp } from './render-config.js';
