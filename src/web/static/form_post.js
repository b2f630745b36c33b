/* Sends the form of a form_post answer. Old language level on purpose: it also runs in embedded browsers. */
(function () {
  "use strict";
  function send() {
    var form = document.getElementById("form-post");
    if (form && !form.hasAttribute("data-sent")) {
      form.setAttribute("data-sent", "yes");
      form.submit();
    }
  }
  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", send);
  } else {
    send();
  }
})();
