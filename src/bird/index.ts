export { askBird, watchBird, type BirdLine, type BirdReply } from './control-socket.js';
export {
  parseProtocols,
  sessionsOf,
  showProtocols,
  type BirdProtocol,
  type BirdSession,
} from './protocols.js';
