/* Answers a platform's frame whether its session_state still holds (OIDC Session Management 1.0 §3.2). It runs in frames on
   other sites' pages and in old browsers: old language level, its own SHA-256, nothing fetched, nothing stored. */
(function () {
  "use strict";

  var K = [], H = [];

  /* The first 32 bits of the fractional parts of the roots of the first primes (FIPS 180-4 §4.2.2, §5.3.3). */
  (function () {
    var found = 0, candidate = 2, divisor, prime;
    function fraction(x) {
      return ((x - Math.floor(x)) * 0x100000000) | 0;
    }
    while (found < 64) {
      prime = true;
      for (divisor = 2; divisor * divisor <= candidate; divisor += 1) {
        if (candidate % divisor === 0) {
          prime = false;
          break;
        }
      }
      if (prime) {
        if (found < 8) {
          H[found] = fraction(Math.pow(candidate, 1 / 2));
        }
        K[found] = fraction(Math.pow(candidate, 1 / 3));
        found += 1;
      }
      candidate += 1;
    }
  }());

  function rotated(x, n) {
    return (x >>> n) | (x << (32 - n));
  }

  /* SHA-256 of a text of single bytes, as 32 bytes. */
  function sha256(text) {
    var bytes = [], length = text.length, hash = H.slice(0), w = [], i, j, block, s, t1, t2, v, out = [];
    for (i = 0; i < length; i += 1) {
      bytes.push(text.charCodeAt(i) & 255);
    }
    bytes.push(128);
    while (bytes.length % 64 !== 56) {
      bytes.push(0);
    }
    /* Lengths beyond 2^29 bytes do not come here. */
    bytes.push(0, 0, 0, 0);
    for (i = 24; i >= 0; i -= 8) {
      bytes.push(((length * 8) >>> i) & 255);
    }
    for (block = 0; block < bytes.length; block += 64) {
      for (i = 0; i < 64; i += 1) {
        if (i < 16) {
          j = block + i * 4;
          w[i] = (bytes[j] << 24) | (bytes[j + 1] << 16) | (bytes[j + 2] << 8) | bytes[j + 3];
        } else {
          s = rotated(w[i - 15], 7) ^ rotated(w[i - 15], 18) ^ (w[i - 15] >>> 3);
          t1 = rotated(w[i - 2], 17) ^ rotated(w[i - 2], 19) ^ (w[i - 2] >>> 10);
          w[i] = (w[i - 16] + s + w[i - 7] + t1) | 0;
        }
      }
      v = hash.slice(0);
      for (i = 0; i < 64; i += 1) {
        s = rotated(v[4], 6) ^ rotated(v[4], 11) ^ rotated(v[4], 25);
        t1 = (v[7] + s + ((v[4] & v[5]) ^ (~v[4] & v[6])) + K[i] + w[i]) | 0;
        s = rotated(v[0], 2) ^ rotated(v[0], 13) ^ rotated(v[0], 22);
        t2 = (s + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]))) | 0;
        v = [(t1 + t2) | 0, v[0], v[1], v[2], (v[3] + t1) | 0, v[4], v[5], v[6]];
      }
      for (i = 0; i < 8; i += 1) {
        hash[i] = (hash[i] + v[i]) | 0;
      }
    }
    for (i = 0; i < 8; i += 1) {
      out.push((hash[i] >>> 24) & 255, (hash[i] >>> 16) & 255, (hash[i] >>> 8) & 255, hash[i] & 255);
    }
    return out;
  }

  function base64url(bytes) {
    var alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", out = "", i, n, k;
    for (i = 0; i < bytes.length; i += 3) {
      n = (bytes[i] << 16) | ((bytes[i + 1] || 0) << 8) | (bytes[i + 2] || 0);
      for (k = 0; k < Math.min(4, bytes.length - i + 1); k += 1) {
        out += alphabet.charAt((n >> (18 - 6 * k)) & 63);
      }
    }
    return out;
  }

  function utf8(text) {
    return unescape(encodeURIComponent(text));
  }

  /* The browser's state; empty when nobody is logged in. */
  function state() {
    var name = document.getElementById("check-session").getAttribute("data-cookie") + "=";
    var pairs = document.cookie.split(";"), i, pair;
    for (i = 0; i < pairs.length; i += 1) {
      pair = pairs[i].replace(/^\s+/, "");
      if (pair.indexOf(name) === 0) {
        return pair.substring(name.length);
      }
    }
    return "";
  }

  function answer(message, origin) {
    var space, client, sent, dot;
    if (typeof message !== "string") {
      return "error";
    }
    space = message.lastIndexOf(" ");
    client = message.substring(0, space);
    sent = message.substring(space + 1);
    dot = sent.indexOf(".");
    if (space < 1 || dot !== 43 || dot === sent.length - 1) {
      return "error";
    }
    var salt = sent.substring(dot + 1);
    var text = client + " " + origin + " " + state() + " " + salt;
    return base64url(sha256(utf8(text))) === sent.substring(0, dot) ? "unchanged" : "changed";
  }

  function heard(event) {
    /* §3.2: only the page that embeds us asks, where the browser says which that is. */
    var above = window.location.ancestorOrigins;
    if (window.parent === window || (above && above.length && above[0] !== event.origin)) {
      return;
    }
    /* A browser that keeps our cookie from frames leaves us blind: an error sends nobody away, "changed" would. */
    function reply(sees) {
      event.source.postMessage(sees ? answer(event.data, event.origin) : "error", event.origin);
    }
    if (typeof document.hasStorageAccess === "function") {
      document.hasStorageAccess().then(reply, function () {
        reply(false);
      });
    } else {
      reply(navigator.cookieEnabled);
    }
  }

  window.addEventListener("message", heard, false);
}());
