// The sample fetches, converters and ACL keywords of HAProxy 2.6, as `haproxy -dKall` lists them, with their
// arguments and result types. sc0_ stands for sc0_ to sc9_.

/** `NAME(ARGUMENTS):TYPE`; arguments in brackets are optional. */
export const sampleFetchText = `
always_false:bool always_true:bool avg_queue(backend):sint base:str base32:sint base32+src:bin baseq:str
bc_dst:sint bc_dst_port:sint bc_err:sint bc_err_str:str bc_http_major:sint bc_src:sint bc_src_port:sint
be_conn(backend):sint be_conn_free(backend):sint be_id:sint be_name:str be_server_timeout:sint
be_sess_rate(backend):sint be_tunnel_timeout:sint bin(string):bin bool(string):bool
capture.req.hdr(integer):str capture.req.method:str capture.req.uri:str capture.req.ver:str
capture.res.hdr(integer):str capture.res.ver:str connslots(backend):sint cook([string]):str
cook_cnt([string]):sint cook_val([string]):sint cookie([string]):str cpu_calls:sint cpu_ns_avg:sint
cpu_ns_tot:sint cur_server_timeout:sint cur_tunnel_timeout:sint date([integer,string]):sint date_us:sint
distcc_body(string[,integer]):bin distcc_param(string[,integer]):sint dst:ipv4 dst_conn:sint
dst_is_local:bool dst_port:sint env(string):str fc_dst:ipv4 fc_dst_is_local:bool fc_dst_port:sint
fc_err:sint fc_err_str:str fc_fackets([string]):sint fc_http_major:sint fc_lost([string]):sint
fc_pp_authority:str fc_pp_unique_id:str fc_rcvd_proxy:bool fc_reordering([string]):sint
fc_retrans([string]):sint fc_rtt([string]):sint fc_rttvar([string]):sint fc_sacked([string]):sint
fc_src:ipv4 fc_src_is_local:bool fc_src_port:sint fc_unacked([string]):sint fcgi.docroot:str
fcgi.index:str fe_client_timeout:sint fe_conn(frontend):sint fe_defbe:str fe_id:sint fe_name:str
fe_req_rate(frontend):sint fe_sess_rate(frontend):sint hdr([string,integer]):str hdr_cnt([string]):sint
hdr_ip([string,integer]):ipv4 hdr_val([string,integer]):sint hostname:str http_auth(userlist):bool
http_auth_bearer([string]):str http_auth_group(userlist):str http_auth_pass:str http_auth_type:str
http_auth_user:str http_first_req:bool int(integer):sint internal.htx.data:sint internal.htx.free:sint
internal.htx.free_data:sint internal.htx.has_eom:bool internal.htx.nbblks:sint internal.htx.size:sint
internal.htx.used:sint internal.htx_blk.data(string):bin internal.htx_blk.hdrname(string):str
internal.htx_blk.hdrval(string):str internal.htx_blk.size(string):sint
internal.htx_blk.start_line(string):str internal.htx_blk.type(string):str internal.strm.is_htx:bool
ipv4(ip):ipv4 ipv6(ip):ipv6 last_rule_file:str last_rule_line:sint lat_ns_avg:sint lat_ns_tot:sint
meth(string):meth method:meth nbproc:sint nbsrv(backend):sint path:str pathq:str
payload(integer,integer):bin payload_lv(integer,integer[,string]):bin prio_class:sint prio_offset:sint
proc:sint query:str queue(backend):sint rand([integer]):sint rdp_cookie([string]):str
rdp_cookie_cnt([string]):sint rep_ssl_hello_type:sint req.body:bin req.body_len:sint
req.body_param([string]):bin req.body_size:sint req.cook([string]):str req.cook_cnt([string]):sint
req.cook_val([string]):sint req.fhdr([string,integer]):str req.fhdr_cnt([string]):sint
req.hdr([string,integer]):str req.hdr_cnt([string]):sint req.hdr_ip([string,integer]):ipv4
req.hdr_names([string]):str req.hdr_val([string,integer]):sint req.hdrs:bin req.hdrs_bin:bin req.len:sint
req.payload(integer,integer):bin req.payload_lv(integer,integer[,string]):bin req.proto_http:bool
req.rdp_cookie([string]):str req.rdp_cookie_cnt([string]):sint req.ssl_alpn:str req.ssl_ec_ext:bool
req.ssl_hello_type:sint req.ssl_sni:str req.ssl_st_ext:sint req.ssl_ver:sint req.ver:str req_len:sint
req_proto_http:bool req_ssl_hello_type:sint req_ssl_sni:str req_ssl_ver:sint req_ver:str res.body:bin
res.body_len:sint res.body_size:sint res.cache_hit:bool res.cache_name:str res.comp:bool res.comp_algo:str
res.cook([string]):str res.cook_cnt([string]):sint res.cook_val([string]):sint
res.fhdr([string,integer]):str res.fhdr_cnt([string]):sint res.hdr([string,integer]):str
res.hdr_cnt([string]):sint res.hdr_ip([string,integer]):ipv4 res.hdr_names([string]):str
res.hdr_val([string,integer]):sint res.hdrs:bin res.hdrs_bin:bin res.len:sint
res.payload(integer,integer):bin res.payload_lv(integer,integer[,string]):bin res.ssl_hello_type:sint
res.ver:str resp_ver:str sc0_bytes_in_rate([table]):sint sc0_bytes_out_rate([table]):sint
sc0_clr_gpc0([table]):sint sc0_clr_gpc1([table]):sint sc0_conn_cnt([table]):sint
sc0_conn_cur([table]):sint sc0_conn_rate([table]):sint sc0_get_gpc0([table]):sint
sc0_get_gpc1([table]):sint sc0_get_gpt0([table]):sint sc0_gpc0_rate([table]):sint
sc0_gpc1_rate([table]):sint sc0_http_err_cnt([table]):sint sc0_http_err_rate([table]):sint
sc0_http_fail_cnt([table]):sint sc0_http_fail_rate([table]):sint sc0_http_req_cnt([table]):sint
sc0_http_req_rate([table]):sint sc0_inc_gpc0([table]):sint sc0_inc_gpc1([table]):sint
sc0_kbytes_in([table]):sint sc0_kbytes_out([table]):sint sc0_sess_cnt([table]):sint
sc0_sess_rate([table]):sint sc0_tracked([table]):bool sc0_trackers([table]):sint
sc1_clr_gpc(integer[,table]):sint sc_bytes_in_rate(integer[,table]):sint
sc_bytes_out_rate(integer[,table]):sint sc_clr_gpc(integer,integer[,table]):sint
sc_clr_gpc0(integer[,table]):sint sc_clr_gpc1(integer[,table]):sint sc_conn_cnt(integer[,table]):sint
sc_conn_cur(integer[,table]):sint sc_conn_rate(integer[,table]):sint
sc_get_gpc(integer,integer[,table]):sint sc_get_gpc0(integer[,table]):sint
sc_get_gpc1(integer[,table]):sint sc_get_gpt(integer,integer[,table]):sint
sc_get_gpt0(integer[,table]):sint sc_gpc0_rate(integer[,table]):sint sc_gpc1_rate(integer[,table]):sint
sc_gpc_rate(integer,integer[,table]):sint sc_http_err_cnt(integer[,table]):sint
sc_http_err_rate(integer[,table]):sint sc_http_fail_cnt(integer[,table]):sint
sc_http_fail_rate(integer[,table]):sint sc_http_req_cnt(integer[,table]):sint
sc_http_req_rate(integer[,table]):sint sc_inc_gpc(integer,integer[,table]):sint
sc_inc_gpc0(integer[,table]):sint sc_inc_gpc1(integer[,table]):sint sc_kbytes_in(integer[,table]):sint
sc_kbytes_out(integer[,table]):sint sc_sess_cnt(integer[,table]):sint sc_sess_rate(integer[,table]):sint
sc_tracked(integer[,table]):bool sc_trackers(integer[,table]):sint scook([string]):str
scook_cnt([string]):sint scook_val([string]):sint shdr([string,integer]):str shdr_cnt([string]):sint
shdr_ip([string,integer]):ipv4 shdr_val([string,integer]):sint so_id:sint so_name:str src:ipv4
src_bytes_in_rate(table):sint src_bytes_out_rate(table):sint src_clr_gpc(integer,table):sint
src_clr_gpc0(table):sint src_clr_gpc1(table):sint src_conn_cnt(table):sint src_conn_cur(table):sint
src_conn_rate(table):sint src_get_gpc(integer,table):sint src_get_gpc0(table):sint
src_get_gpc1(table):sint src_get_gpt(integer,table):sint src_get_gpt0(table):sint
src_gpc0_rate(table):sint src_gpc1_rate(table):sint src_gpc_rate(integer,table):sint
src_http_err_cnt(table):sint src_http_err_rate(table):sint src_http_fail_cnt(table):sint
src_http_fail_rate(table):sint src_http_req_cnt(table):sint src_http_req_rate(table):sint
src_inc_gpc(integer,table):sint src_inc_gpc0(table):sint src_inc_gpc1(table):sint src_is_local:bool
src_kbytes_in(table):sint src_kbytes_out(table):sint src_port:sint src_sess_cnt(table):sint
src_sess_rate(table):sint src_updt_conn_cnt(table):sint srv_conn(server):sint srv_conn_free(server):sint
srv_id:sint srv_is_up(server):bool srv_iweight(server):sint srv_name:str srv_queue(server):sint
srv_sess_rate(server):sint srv_uweight(server):sint srv_weight(server):sint ssl_bc:bool
ssl_bc_alg_keysize:sint ssl_bc_alpn:str ssl_bc_cipher:str ssl_bc_client_random:bin ssl_bc_err:sint
ssl_bc_err_str:str ssl_bc_is_resumed:bool ssl_bc_npn:str ssl_bc_protocol:str ssl_bc_server_random:bin
ssl_bc_session_id:bin ssl_bc_session_key:bin ssl_bc_unique_id:bin ssl_bc_use_keysize:sint
ssl_c_ca_err:sint ssl_c_ca_err_depth:sint ssl_c_chain_der:bin ssl_c_der:bin ssl_c_err:sint
ssl_c_i_dn([string,integer,string]):str ssl_c_key_alg:str ssl_c_notafter:str ssl_c_notbefore:str
ssl_c_s_dn([string,integer,string]):str ssl_c_serial:bin ssl_c_sha1:bin ssl_c_sig_alg:str ssl_c_used:bool
ssl_c_verify:sint ssl_c_version:sint ssl_f_der:bin ssl_f_i_dn([string,integer,string]):str
ssl_f_key_alg:str ssl_f_notafter:str ssl_f_notbefore:str ssl_f_s_dn([string,integer,string]):str
ssl_f_serial:bin ssl_f_sha1:bin ssl_f_sig_alg:str ssl_f_version:sint ssl_fc:bool ssl_fc_alg_keysize:sint
ssl_fc_alpn:str ssl_fc_cipher:str ssl_fc_cipherlist_bin([integer]):str
ssl_fc_cipherlist_hex([integer]):bin ssl_fc_cipherlist_str([integer]):str ssl_fc_cipherlist_xxh:sint
ssl_fc_client_early_traffic_secret:str ssl_fc_client_handshake_traffic_secret:str ssl_fc_client_random:bin
ssl_fc_client_traffic_secret_0:str ssl_fc_early_exporter_secret:str ssl_fc_ecformats_bin:str
ssl_fc_eclist_bin([integer]):str ssl_fc_err:sint ssl_fc_err_str:str ssl_fc_exporter_secret:str
ssl_fc_extlist_bin([integer]):str ssl_fc_has_crt:bool ssl_fc_has_early:bool ssl_fc_has_sni:bool
ssl_fc_is_resumed:bool ssl_fc_npn:str ssl_fc_protocol:str ssl_fc_protocol_hello_id:sint
ssl_fc_server_handshake_traffic_secret:str ssl_fc_server_random:bin ssl_fc_server_traffic_secret_0:str
ssl_fc_session_id:bin ssl_fc_session_key:bin ssl_fc_sni:str ssl_fc_unique_id:bin ssl_fc_use_keysize:sint
ssl_s_chain_der:bin ssl_s_der:bin ssl_s_i_dn([string,integer,string]):str ssl_s_key_alg:str
ssl_s_notafter:str ssl_s_notbefore:str ssl_s_s_dn([string,integer,string]):str ssl_s_serial:bin
ssl_s_sha1:bin ssl_s_sig_alg:str ssl_s_version:sint status:sint stopping:bool str(string):str
table_avl(table):sint table_cnt(table):sint thread:sint unique-id:str url:str url32:sint url32+src:bin
url_ip:ipv4 url_param([string,string]):str url_port:sint urlp([string,string]):str
urlp_val([string,string]):sint uuid([integer]):str var(string[,string]):any wait_end:bool
`;

/** `NAME(ARGUMENTS):TYPE` of the result. */
export const converterText = `
add(string):sint add_item(string,string[,string]):str aes_gcm_dec(integer,string,string,string):bin
and(string):sint b64dec:bin base64:str be2dec(string[,integer,integer]):str
be2hex(string[,integer,integer]):str bool:bool bytes(integer[,integer]):bin capture-req(integer):str
capture-res(integer):str concat(string[,string,string]):str cpl:sint crc32([integer]):sint
crc32c([integer]):sint cut_crlf:str debug([string,string]):any digest(string):bin div(string):sint
djb2([integer]):sint even:bool field(integer,string[,integer]):str fix_is_valid:bool
fix_tag_value(string):bin hex:str hex2i:sint hmac(string,string):bin host_only:str htonl:bin
http_date([integer,string]):str iif(string,string):str in_table(table):bool ipmask(mask4[,mask6]):ipv4
json(string):str json_query(string[,string]):any jwt_header_query([string,string]):any
jwt_payload_query([string,string]):any jwt_verify(string,string):sint language(string[,string]):str
length:sint lower:str ltime(string[,integer]):str ltrim(string):str map(string[,string]):str
map_beg(string[,string]):str map_beg_int(string[,integer]):sint map_beg_ip(string[,string]):addr
map_dir(string[,string]):str map_dir_int(string[,integer]):sint map_dir_ip(string[,string]):addr
map_dom(string[,string]):str map_dom_int(string[,integer]):sint map_dom_ip(string[,string]):addr
map_end(string[,string]):str map_end_int(string[,integer]):sint map_end_ip(string[,string]):addr
map_int(string[,string]):str map_int_int(string[,integer]):sint map_int_ip(string[,string]):addr
map_ip(string[,string]):str map_ip_int(string[,integer]):sint map_ip_ip(string[,string]):addr
map_reg(string[,string]):str map_reg_int(string[,integer]):sint map_reg_ip(string[,string]):addr
map_regm(string[,string]):str map_str(string[,string]):str map_str_int(string[,integer]):sint
map_str_ip(string[,string]):addr map_sub(string[,string]):str map_sub_int(string[,integer]):sint
map_sub_ip(string[,string]):addr mod(string):sint mqtt_field_value(string,string):str mqtt_is_valid:bool
mul(string):sint nbsrv:sint neg:sint not:bool odd:bool or(string):sint port_only:sint
protobuf(pbf[,string]):bin regsub(regex,string[,string]):str rtrim(string):str sdbm([integer]):sint
secure_memcmp(string):bool set-var(string[,string,string,string,string]):any sha1:bin sha2([integer]):bin
srv_queue:sint strcmp(string):sint sub(string):sint table_bytes_in_rate(table):sint
table_bytes_out_rate(table):sint table_conn_cnt(table):sint table_conn_cur(table):sint
table_conn_rate(table):sint table_expire(table[,integer]):sint table_gpc(integer,table):sint
table_gpc0(table):sint table_gpc0_rate(table):sint table_gpc1(table):sint table_gpc1_rate(table):sint
table_gpc_rate(integer,table):sint table_gpt(integer,table):sint table_gpt0(table):sint
table_http_err_cnt(table):sint table_http_err_rate(table):sint table_http_fail_cnt(table):sint
table_http_fail_rate(table):sint table_http_req_cnt(table):sint table_http_req_rate(table):sint
table_idle(table[,integer]):sint table_kbytes_in(table):sint table_kbytes_out(table):sint
table_server_id(table):sint table_sess_cnt(table):sint table_sess_rate(table):sint
table_trackers(table):sint ub64dec:bin ub64enc:str ungrpc(pbf[,string]):bin unset-var(string):any
upper:str url_dec([integer]):str url_enc(string):str utime(string[,integer]):str
word(integer,string[,integer]):str wt6([integer]):sint xor(string):sint xxh3([integer]):sint
xxh32([integer]):sint xxh64([integer]):sint
`;

/** `NAME=FETCH/METHOD`: ACL criteria that match in a way of their own. */
export const aclCriterionText = `
base=base/str base_beg=base/beg base_dir=base/dir base_dom=base/dom base_end=base/end base_len=base/len
base_reg=base/reg base_sub=base/sub cook=req.cook/str cook_beg=req.cook/beg cook_dir=req.cook/dir
cook_dom=req.cook/dom cook_end=req.cook/end cook_len=req.cook/len cook_reg=req.cook/reg
cook_sub=req.cook/sub hdr=req.hdr/str hdr_beg=req.hdr/beg hdr_dir=req.hdr/dir hdr_dom=req.hdr/dom
hdr_end=req.hdr/end hdr_len=req.hdr/len hdr_reg=req.hdr/reg hdr_sub=req.hdr/sub
http_auth_group=http_auth_group/str method=method/str path=path/str path_beg=path/beg path_dir=path/dir
path_dom=path/dom path_end=path/end path_len=path/len path_reg=path/reg path_sub=path/sub
payload=req.payload/bin payload_lv=req.payload_lv/bin req.ssl_ver=req.ssl_ver/int
req_rdp_cookie=req.rdp_cookie/str req_rdp_cookie_cnt=req.rdp_cookie_cnt/int req_ssl_sni=req.ssl_sni/str
req_ssl_ver=req.ssl_ver/int req_ver=req.ver/str resp_ver=res.ver/str scook=res.cook/str
scook_beg=res.cook/beg scook_dir=res.cook/dir scook_dom=res.cook/dom scook_end=res.cook/end
scook_len=res.cook/len scook_reg=res.cook/reg scook_sub=res.cook/sub shdr=res.hdr/str shdr_beg=res.hdr/beg
shdr_dir=res.hdr/dir shdr_dom=res.hdr/dom shdr_end=res.hdr/end shdr_len=res.hdr/len shdr_reg=res.hdr/reg
shdr_sub=res.hdr/sub ssl_fc_sni_end=ssl_fc_sni/end ssl_fc_sni_reg=ssl_fc_sni/reg url=url/str
url_beg=url/beg url_dir=url/dir url_dom=url/dom url_end=url/end url_len=url/len url_reg=url/reg
url_sub=url/sub urlp=urlp/str urlp_beg=urlp/beg urlp_dir=urlp/dir urlp_dom=urlp/dom urlp_end=urlp/end
urlp_len=urlp/len urlp_reg=urlp/reg urlp_sub=urlp/sub
`;
