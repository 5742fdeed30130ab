#!/bin/sh
# chat.sh once more, with an augment whose tokens end where the anchor's do.
reads=' reads aligned'
. "$(dirname "$0")/chat.sh"
