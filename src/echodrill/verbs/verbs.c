/* SPDX-License-Identifier: MIT
 * verbs: the list of all verbs of drills.
 */
#include <stddef.h>

#include "echodrill/script/verb.h"

const struct verb *const verbs[] = {
	&verb_start, &verb_client,  &verb_type,    &verb_hangup,  &verb_signal, &verb_await,
	&verb_look,  &verb_dial,    &verb_wait,    &verb_nft,     &verb_heal,   &verb_ip,
	&verb_tc,    &verb_sysctl,  &verb_destroy, &verb_exhaust, &verb_share,  &verb_leak,
	&verb_write, &verb_restart, &verb_settled, &verb_calm,    NULL,
};
