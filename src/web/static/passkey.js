/* Passkeys: registration, login by button, login by autofill. What it speaks with the server stands in docs/pages.md. */
(function () {
  "use strict";

  var waiting = null; /* the autofill ceremony that the button must end before it begins its own */

  function bytes(text) {
    var base64 = text.replace(/-/g, "+").replace(/_/g, "/");
    while (base64.length % 4) { base64 += "="; }
    var raw = window.atob(base64);
    var out = new Uint8Array(raw.length);
    for (var i = 0; i < raw.length; i++) { out[i] = raw.charCodeAt(i); }
    return out.buffer;
  }

  function text(buffer) {
    if (!buffer) { return null; }
    var raw = "";
    var view = new Uint8Array(buffer);
    for (var i = 0; i < view.length; i++) { raw += String.fromCharCode(view[i]); }
    return window.btoa(raw).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  function post(url, csrf, body) {
    return fetch(url, {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json", "Accept": "application/json", "X-CSRF-Token": csrf },
      body: JSON.stringify(body)
    }).then(function (answer) {
      return answer.json().then(function (json) {
        if (!answer.ok && !json.next) { throw new Error("refused"); }
        return json;
      });
    });
  }

  function descriptors(list) {
    return (list || []).map(function (item) {
      var copy = { type: item.type, id: bytes(item.id) };
      if (item.transports) { copy.transports = item.transports; }
      return copy;
    });
  }

  function follow(json) {
    if (!json.next) { throw new Error("no way on"); }
    window.location.assign(json.next);
  }

  function problem(show) {
    var element = document.getElementById("passkey-problem");
    if (element) { element.hidden = !show; }
  }

  function login(button, conditional) {
    var data = button.dataset;
    var stop = window.AbortController ? new AbortController() : null;
    if (waiting) { waiting.abort(); waiting = null; }
    if (conditional) { waiting = stop; }
    return post(data.optionsUrl, data.csrf, conditional ? { mediation: "conditional" } : {}).then(function (begun) {
      if (conditional && stop && stop.signal.aborted) { return null; }
      var options = begun.options.publicKey;
      options.challenge = bytes(options.challenge);
      if (options.allowCredentials) { options.allowCredentials = descriptors(options.allowCredentials); }
      var request = { publicKey: options };
      if (conditional) { request.mediation = "conditional"; }
      if (stop) { request.signal = stop.signal; }
      return navigator.credentials.get(request).then(function (credential) {
        return post(data.finishUrl, data.csrf, {
          ceremony: begun.ceremony,
          credential: {
            id: credential.id,
            rawId: text(credential.rawId),
            type: credential.type,
            extensions: {},
            response: {
              clientDataJSON: text(credential.response.clientDataJSON),
              authenticatorData: text(credential.response.authenticatorData),
              signature: text(credential.response.signature),
              userHandle: text(credential.response.userHandle)
            }
          }
        });
      }).then(follow);
    });
  }

  function register(button) {
    var data = button.dataset;
    var name = document.getElementById("passkey-name");
    return post(data.optionsUrl, data.csrf, {}).then(function (begun) {
      var options = begun.options.publicKey;
      options.challenge = bytes(options.challenge);
      options.user.id = bytes(options.user.id);
      if (options.excludeCredentials) { options.excludeCredentials = descriptors(options.excludeCredentials); }
      return navigator.credentials.create({ publicKey: options }).then(function (credential) {
        var response = credential.response;
        return post(data.finishUrl, data.csrf, {
          ceremony: begun.ceremony,
          name: name ? name.value : "",
          credential: {
            id: credential.id,
            rawId: text(credential.rawId),
            type: credential.type,
            extensions: {},
            response: {
              clientDataJSON: text(response.clientDataJSON),
              attestationObject: text(response.attestationObject),
              transports: response.getTransports ? response.getTransports() : []
            }
          }
        });
      }).then(follow);
    });
  }

  function door(id, act) {
    var button = document.getElementById(id);
    if (!button) { return; }
    button.hidden = false;
    button.addEventListener("click", function () {
      problem(false);
      button.disabled = true;
      act(button).catch(function () {
        button.disabled = false;
        problem(true);
      });
    });
  }

  function begin() {
    if (!window.PublicKeyCredential || !navigator.credentials || !window.fetch || !window.Promise) { return; }
    var unsupported = document.getElementById("passkey-unsupported");
    if (unsupported) { unsupported.hidden = true; }
    door("passkey-register", register);
    door("passkey-login", function (button) { return login(button, false); });
    var button = document.getElementById("passkey-login");
    if (button && button.dataset.conditional && PublicKeyCredential.isConditionalMediationAvailable) {
      PublicKeyCredential.isConditionalMediationAvailable().then(function (available) {
        /* Autofill that finds nothing, or is ended by the button, is no failure of the person's. */
        return available ? login(button, true) : null;
      }).catch(function () {});
    }
  }

  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", begin);
  } else {
    begin();
  }
})();
