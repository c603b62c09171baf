import t, { type Test } from 'tap';
import { silentLog } from '../../../src/base/log.js';
import { createNft, type Nft } from '../../../src/nft/index.js';
import { nftContract } from '../../fixtures/nft-contract.js';
import { inPrivateNamespace } from '../../fixtures/private-namespace.js';

await inPrivateNamespace(import.meta.url, () => {
  for (const implementation of ['library', 'command'] as const) {
    const open = async (t: Test): Promise<Nft> => {
      const nft = await createNft({ log: silentLog, prefer: implementation });
      t.teardown(() => nft.close());
      t.equal(nft.implementation, implementation);
      return nft;
    };
    t.test(`the contract, by ${implementation}`, async (t) => nftContract(t, open));
  }
});
