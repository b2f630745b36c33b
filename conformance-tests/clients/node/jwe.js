// Keys and JWE as `jose` makes and reads them. Told in JSON, an order a line; answers with a line each.
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { CompactEncrypt, compactDecrypt, exportJWK, generateKeyPair, importJWK } from 'jose';

// OIDC Core 10.2: the secret's hash, cut to what the algorithm needs.
function ofSecret({ secret, alg, enc }) {
  const sizes = { 'A128CBC-HS256': 32, 'A192CBC-HS384': 48, 'A256CBC-HS512': 64 };
  const wrapping = { A128KW: 16, A192KW: 24, A256KW: 32 };
  const size = wrapping[alg] ?? sizes[enc] ?? Number(enc.slice(1, 4)) / 8;
  const hash = size > 48 ? 'sha512' : size > 32 ? 'sha384' : 'sha256';
  return createHash(hash).update(secret).digest().subarray(0, size);
}

const key = (order) => (order.secret ? ofSecret(order) : importJWK(order.jwk, order.alg));

const orders = {
  async generate({ alg }) {
    const pair = await generateKeyPair(alg, { extractable: true });
    return { public: await exportJWK(pair.publicKey), private: await exportJWK(pair.privateKey) };
  },
  async decrypt(order) {
    const read = await compactDecrypt(order.jwe, await key(order));
    return { text: new TextDecoder().decode(read.plaintext), header: read.protectedHeader };
  },
  async encrypt(order) {
    const { alg, enc, text, jwk } = order;
    const header = { alg, enc, cty: 'JWT', ...(jwk.kid && { kid: jwk.kid }) };
    const plain = new TextEncoder().encode(text);
    return { jwe: await new CompactEncrypt(plain).setProtectedHeader(header).encrypt(await key(order)) };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  const answer = await orders[order.do](order).catch((error) => ({ error: String(error) }));
  console.log(JSON.stringify(answer));
}
