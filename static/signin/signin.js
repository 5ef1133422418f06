// What a security key could not do, said on the page and not in the browser's console alone.
(function () {
  const REASONS = {
    NotAllowedError: 'The key was not used in time, or the request was cancelled. Please try again.',
    InvalidStateError: 'This key is already registered with your sign-in.',
    SecurityError: 'Security keys work only where the site has a name and is reached over https. This address has not: ' + window.location.host,
    NotSupportedError: 'This browser cannot use that key.'
  }
  document.addEventListener('allauth.error', function (event) {
    const place = document.getElementById('key-trouble')
    if (!place) return
    event.preventDefault()
    const unknown = window.PublicKeyCredential
      ? 'Your browser could not use the key.'
      : 'This browser or address does not allow security keys; they need https.'
    place.textContent = (event.detail.exception && REASONS[event.detail.exception.name]) || unknown
    place.hidden = false
  })
})()
