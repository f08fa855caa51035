# Bytes through a forward, TCP to vsock and vsock to TCP: every byte arrives, whoever ends first.
. /vm/case.sh

tg-vm-peer generate 4194304 1 >there
tg-vm-peer generate 4194303 2 >back
tg-vm-peer generate 104857600 3 >big
sum_there=$(sum <there)
sum_back=$(sum <back)
sum_big=$(sum <big)

# Of an echo under both windows a relay that writes while it cannot read never ends: socat is such a one.
if [ "$FORWARDER" = socat ]; then head -c 65536 there >echoed; else cp there echoed; fi
numbers="1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20"

forward to_vsock tcp:127.0.0.1:7001 vsock:local:9001
forward to_tcp vsock:any:7002 tcp:127.0.0.1:9002
for direction in tcp_to_vsock vsock_to_tcp; do
    case $direction in
        tcp_to_vsock) near=tcp:127.0.0.1:7001 far=vsock:any:9001 ;;
        vsock_to_tcp) near=vsock:local:7002 far=tcp:127.0.0.1:9002 ;;
    esac

    serve $far sh -c 'sum=$(sha256sum); echo ${sum%% *} >got; cat back'
    equal $direction.half_close_client_first_answer "$(tg-vm-peer dial $near <there | sum)" "$sum_back"
    equal $direction.half_close_client_first_request "$(cat got)" "$sum_there"
    stop_serving

    rm -f got2
    serve $far sh -c 'cat back; tg-vm-peer shutdown; sum=$(sha256sum); echo ${sum%% *} >got.part; mv got.part got2'
    equal $direction.half_close_server_first_answer "$( (sleep 1; cat there) | tg-vm-peer dial $near | sum)" "$sum_back"
    appears got2
    equal $direction.half_close_server_first_request "$(cat got2)" "$sum_there"
    stop_serving

    serve $far sh -c 'sum=$(sha256sum); echo ${sum%% *}'
    equal $direction.hundred_megabytes_there "$(tg-vm-peer dial $near <big)" "$sum_big"
    stop_serving

    serve $far cat big
    equal $direction.hundred_megabytes_back "$(tg-vm-peer dial $near </dev/null | sum)" "$sum_big"
    stop_serving

    # Both ways at once, from twenty connections.
    serve $far cat
    clients=
    for number in $numbers; do
        tg-vm-peer dial $near <echoed >echo.$number &
        clients="$clients $!"
    done
    wait $clients
    equal $direction.twenty_echoes "$(cat echo.* | sum)" "$(for number in $numbers; do cat echoed; done | sum)"
    rm -f echo.*
    stop_serving

    # Nobody behind it: the client is let go at once, not left waiting.
    holds $direction.nobody_behind timeout 5 sh -c "tg-vm-peer dial $near </dev/null >/dev/null 2>&1; [ \$? -le 1 ]"
done
